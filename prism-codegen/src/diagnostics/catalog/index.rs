//! Indexes.

prism_options::catalog! {
    "P0301" Error index_type(field: &str, ty: &str)
        "`{field}` cannot be indexed", "{ty}",
        "index a string, bytes, an integer, a bool, an enum, a Timestamp or a Duration";
    "P0302" Error unknown_index_field(field: &str, message: &str, label: &str, suggestion: &str)
        "`{message}` has no field `{field}`", "{label}",
        "{suggestion}";
    "P0303" Error field_twice(field: &str)
        "`{field}` is twice in one index", "the second time",
        "name each field once";
    "P0304" Error no_fields(example: &str)
        "an index without fields", "orders nothing",
        "name at least one field: `fields: \"{example}\"`";
    "P0305" Error duplicate_index(name: &str)
        "two indexes are called `{name}`", "the second",
        "remove one of them, or give it another `name`; index names are shared by the tables of a database";
    "P0306" Error bad_index_name(name: &str)
        "\"{name}\" is not a valid index name", "1 to 63 letters, digits and underscores, not beginning with a digit, `kv_`, `pg_`, `prism_`, `_prism_`, `sqlite_` or `_sqlx_`",
        "write letters, digits and underscores, or leave `name` out";
    "P0307" Error bad_index_field(text: &str, form: &str, help: &str)
        "\"{text}\" is not a field of an index", "{form}",
        "{help}";
    "P0308" Error too_wide(name: &str, fields: usize, appended: usize)
        "the index `{name}` has too many columns", "{fields} fields, and {appended} parts of the key behind them",
        "remove fields from it: an index takes 32 columns, and one that is not unique ends with the parts of the key that are not in it";
    "P0309" Error index_of_key(name: &str)
        "no index can be called `{name}`", "PostgreSQL gives the name to the key of a table of the schema",
        "give the index another `name`";
    "P0901" Warning unique_without_presence(field: &str)
        "two records with an empty `{field}` collide", "unique, and always present",
        "declare the field `optional`: a record without it then takes no part in the index";
    "P0902" Warning foreign(annotation: &str, count: &str)
        "({annotation}) is not honoured yet: {count} in this file", "has no effect in this version of Prism",
        "keep it for other tools, and check what it says in the client or in a method of your own";
    "P0903" Warning ineffective(list: &str, version: &str, help: &str)
        "Prism {version} does not act on {list}", "accepted, and has no effect yet",
        "{help}";
}
