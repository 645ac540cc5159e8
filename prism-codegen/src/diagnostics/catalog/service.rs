//! Services and methods.

prism_options::catalog! {
    "P0401" Error unknown_entity(name: &str, help: &str)
        "no message `{name}` is known here", "named as the entity",
        "{help}";
    "P0402" Error not_an_entity(name: &str, help: &str)
        "`{name}` is not an entity", "named as the entity",
        "{help}";
    "P0403" Error entity_elsewhere(name: &str, file: &str)
        "entity `{name}` is in `{file}`, which nothing is generated for", "named as the entity",
        "add `{file}` to the files to generate for";
    "P0404" Error unbindable(method: &str, entity: &str, why: &str, help: &str)
        "`{method}` is not an operation on `{entity}`", "{why}",
        "{help}";
    "P0405" Error operation_without_entity(operation: &str, entity: &str)
        "{operation} without an entity", "bound to no entity",
        "write `option (prism.method).entity = \"{entity}\";`, or `option (prism.service).entity = \"{entity}\";`";
    "P0406" Error entity_of_custom(method: &str)
        "`{method}` is custom and names an entity", "has no effect on OPERATION_CUSTOM",
        "remove `entity`, or choose another `operation`";
    "P0407" Error client_streaming(method: &str, operation: &str, help: &str)
        "`{method}` streams its requests", "{operation} takes one message",
        "{help}";
    "P0408" Error bound_streaming(method: &str, operation: &str, help: &str)
        "`{method}` streams its response", "{operation} returns one message",
        "{help}";
    "P0410" Error idempotent_create(method: &str, add: &str)
        "`{method}` cannot be idempotent", "a repeated Create makes another record, or fails",
        "{add}, or remove the option";
    "P0411" Error custom_permissions(method: &str, open: &str)
        "`{method}` requires authentication and names no permission", "written by hand, so there is no default",
        "{open}, which is how this version serves every method, or `option (prism.method).required_permissions = PERMISSION_READ;`, which it accepts with a warning and does not enforce yet";
    "P0412" Error undelete_unsupported(entity: &str, add: &str)
        "`{entity}` cannot be undeleted", "a Delete removes the record for good",
        "{add}, or remove the method";
    "P0413" Error request_is_entity(method: &str, entity: &str, help: &str)
        "`{method}` takes `{entity}` itself as its request", "a request is a message of its own",
        "{help}";
    "P0414" Error side_effects(method: &str, operation: &str, help: &str)
        "`{method}` is marked NO_SIDE_EFFECTS", "{operation} writes",
        "{help}";
}
