//! What is right and probably not meant.

prism_options::catalog! {
    "P0904" Warning no_effect(what: &str, message: &str, why: &str)
        "{what} has no effect in `{message}`", "{why}",
        "remove it";
    "P0905" Warning required_bool(field: &str)
        "`{field}` can only be true", "REQUIRED, and false counts as absent",
        "declare it as `optional bool`, or remove REQUIRED";
    "P0906" Warning unserved(service: &str, help: &str)
        "Prism does not serve `{service}`", "has no (prism.service)",
        "{help}";
    "P0907" Warning copied(field: &str, entity: &str, help: &str)
        "`{field}` stores a copy of `{entity}`", "does not change when the record of `{entity}` changes",
        "{help}";
    "P0908" Warning zero_key(method: &str, field: &str, help: &str)
        "`{method}` stores 0 for `{field}` if the caller sends none", "the server does not choose numbers",
        "{help}";
}
