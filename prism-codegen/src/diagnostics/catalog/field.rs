//! Fields: keys, columns, protection.

prism_options::catalog! {
    "P0201" Error key_type(field: &str, ty: &str, help: &str)
        "`{field}` cannot be a part of the key", "{ty}",
        "{help}";
    "P0202" Error key_presence(field: &str, what: &str, help: &str)
        "`{field}` cannot be a part of the key", "{what}",
        "{help}";
    "P0204" Error managed_type(managed: &str, wanted: &str, actual: &str, import: &str)
        "{managed} is for a field of type {wanted}", "{actual}",
        "{import}declare the field as `{wanted}`, without `repeated` and outside of a oneof";
    "P0205" Error managed_twice(managed: &str, message: &str)
        "{managed} is on two fields of `{message}`", "the second",
        "remove it from one of them";
    "P0206" Error managed_key(managed: &str, field: &str)
        "`{field}` cannot be both a part of the key and {managed}", "the client chooses the key, the server this value",
        "use another field, or MANAGED_ID for a key that the server fills in";
    "P0207" Error managed_id(field: &str)
        "MANAGED_ID is for the primary key or a clustering key", "`{field}` is neither",
        "remove MANAGED_ID from `{field}`, or move it to the primary key or to a clustering key";
    "P0208" Error bad_column(column: &str)
        "\"{column}\" is not a valid column name", "1 to 63 letters, digits and underscores, not beginning with a digit",
        "write letters, digits and underscores, or leave `column` out to name it after the field";
    "P0209" Error reserved_column(column: &str)
        "column `{column}` is reserved", "a database, or Prism, keeps the name for itself",
        "remove `column`, or choose another name: without `column`, Prism chooses a name that is not reserved";
    "P0210" Error duplicate_column(column: &str)
        "column `{column}` belongs to two fields", "taken already",
        "choose another name; letter case does not tell columns apart";
    "P0211" Error storage_of_scalar(field: &str, ty: &str)
        "`{field}` has no storage to choose", "{ty} has a column type of its own",
        "remove `storage`: it is for messages, lists and maps";
    "P0212" Error key_access(field: &str, access: &str)
        "`{field}` cannot be both a part of the key and {access}", "clients write and read the key",
        "remove {access}; a part of the key is immutable anyway";
    "P0213" Error stray(option: &str, message: &str)
        "`{option}` has no effect in `{message}`", "not a field of an entity itself",
        "remove `{option}`; if Prism stores `{message}`, write `option (prism.message).namespace` in it";
    "P0214" Error stray_role(option: &str, message: &str)
        "`{option}` has no effect in `{message}`", "not in a request or response of a method that Prism binds to storage",
        "remove it, or bind a method that uses `{message}`";
    "P0215" Error managed_access(managed: &str, access: &str)
        "a field cannot be both {managed} and {access}", "contradicts {managed}",
        "remove {access}: {managed} says who writes the value and who reads it";
    "P0216" Error service_option_stray(what: &str, service: &str, help: &str)
        "`{what}` has no effect: Prism does not serve `{service}`", "annotated here",
        "{help}; otherwise remove the annotation";
    "P0217" Error extension(extension: &str)
        "an annotation has no effect on the extension `{extension}`", "extensions are kept as unknown fields",
        "declare a field of the message itself, or remove the annotation";
    "P0230" Error contradiction(field: &str, one: &str, other: &str)
        "`{field}` is both {one} and {other}", "contradict each other",
        "remove one of them";
    "P0231" Error not_identifier(field: &str, message: &str)
        "`{field}` is marked IDENTIFIER and is not a part of the key of `{message}`", "identifies no record",
        "remove IDENTIFIER, or make the field the key of `{message}`";
    "P0232" Error required_managed(field: &str, managed: &str)
        "`{field}` cannot be both REQUIRED and {managed}", "the server sets it, whatever a caller sends",
        "remove REQUIRED";
    "P0233" Error output_only_request(field: &str, message: &str)
        "`{field}` of the request `{message}` is OUTPUT_ONLY", "only callers set the fields of a request",
        "remove OUTPUT_ONLY, or the field";
}
