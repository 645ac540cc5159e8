//! The fields of requests and responses of bound methods.

prism_options::catalog! {
    "P0501" Error no_role(field: &str, message: &str, operation: &str, help: &str)
        "`{field}` has no role in `{message}`", "means nothing to {operation}",
        "{help}";
    "P0502" Error role_type(field: &str, role: &str, wanted: &str, actual: &str, import: &str)
        "`{field}` has the wrong type for {role}", "declared as {actual}",
        "{import}declare it as `{wanted}`";
    "P0503" Error role_unfit(role: &str, operation: &str, help: &str)
        "{operation} takes no {role}", "not for this operation",
        "{help}";
    "P0504" Error duplicate_role(field: &str, role: &str)
        "`{field}` is a second {role}", "one is enough",
        "remove one of the two fields, or give one of them another role";
    "P0505" Error missing_role(method: &str, message: &str, what: &str, help: &str)
        "`{message}` has no {what}", "`{method}` needs one",
        "{help}";
    "P0506" Error unknown_entity_field(field: &str, entity: &str, help: &str)
        "`{entity}` has no field `{field}`", "stands for a field of the entity",
        "{help}";
    "P0507" Error role_unsupported(role: &str, entity: &str, managed: &str, add: &str)
        "`{entity}` cannot serve {role}", "it has no field with {managed}",
        "{add}, or remove this field";
    "P0508" Error not_a_key_field(field: &str, entity: &str, key: &str)
        "`{field}` is not a part of the key of `{entity}`", "a record is found by its key",
        "name a part of the key: {key}, or remove the field";
    "P0509" Error composite_keys(entity: &str, help: &str)
        "one value does not identify a record of `{entity}`", "its key has several parts",
        "{help}";
    "P0510" Error condition_type(what: &str, field: &str, why: &str, help: &str)
        "{what} cannot be put on `{field}`", "{why}",
        "{help}";
    "P0511" Error unindexed(field: &str, entity: &str, cost: &str, help: &str)
        "no index of `{entity}` serves the condition on `{field}`", "{cost}",
        "{help}";
    "P0512" Error missing_and_entity(method: &str)
        "`{method}` allows a missing record and answers with the record", "nothing to answer with where it is missing",
        "return `google.protobuf.Empty`, or a message that has the record in a field, or remove `allow_missing`";
    "P0513" Error response_shape(method: &str, message: &str, wanted: &str, help: &str)
        "`{message}` is no answer to `{method}`", "has no {wanted}",
        "{help}";
    "P0514" Error entity_field_unused(field: &str, place: &str)
        "`entity_field` has no effect {place}", "`{field}` does not stand for a field of the entity",
        "remove `entity_field`";
    "P0515" Error keys_part(field: &str, message: &str, entity: &str, key: &str)
        "`{field}` of `{message}` is not a part of the key of `{entity}`", "every field of a ROLE_KEYS message is one",
        "keep the fields {key}; `(prism.field).entity_field` maps another name";
    "P0516" Error ignored(field: &str, method: &str, by_hand: &str)
        "`{method}` would ignore `{field}`", "ROLE_CUSTOM in the request of a method that Prism binds to storage",
        "remove the field, or {by_hand}";
    "P0517" Error key_role(role: &str, message: &str)
        "{role} has no effect in `{message}`", "a ROLE_KEYS message holds the parts of a key",
        "remove `role`; `(prism.field).entity_field` maps another name";
    "P0518" Error exclusive(field: &str, other: &str)
        "`{field}` and `{other}` exclude each other", "a call needs `{field}`, and sets one field of a oneof",
        "move `{field}` out of the oneof";
    "P0519" Error left_out(field: &str, message: &str, why: &str, declaration: &str)
        "`{field}` is `required`, and not every `{message}` that Prism returns has it", "{why}",
        "declare it as `optional {declaration}`";
    "P0520" Error required_token(field: &str)
        "`{field}` is REQUIRED, and the first page has no token", "no caller can ask for the first page",
        "remove REQUIRED";
}
