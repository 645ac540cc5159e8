//! Entities: messages that are stored.

prism_options::catalog! {
    "P0101" Error no_namespace(message: &str, suggestion: &str)
        "entity `{message}` has no namespace", "stored, but where?",
        "write `option (prism.message).namespace = \"{suggestion}\";`";
    "P0102" Error bad_namespace(namespace: &str, suggestion: &str)
        "\"{namespace}\" is not a valid namespace", "1 to 63 of a-z, 0-9 and `-`, beginning with a letter and not ending with `-`",
        "write \"{suggestion}\"";
    "P0103" Error reserved_namespace(namespace: &str, suggestion: &str)
        "namespace \"{namespace}\" is reserved", "names that begin with `prism-` are Prism's own",
        "write \"{suggestion}\"";
    "P0104" Error no_key(message: &str, help: &str)
        "entity `{message}` has no key", "no field is marked as its key",
        "{help}";
    "P0105" Error two_primaries(message: &str, field: &str)
        "entity `{message}` has two primary keys", "`{field}` is the second",
        "keep one INDEX_KIND_PRIMARY, or make a composite key of INDEX_KIND_PARTITION_KEY and INDEX_KIND_CLUSTERING_KEY";
    "P0106" Error mixed_key(message: &str)
        "entity `{message}` mixes a primary key with parts of a composite one", "this is a part of a composite key",
        "make the INDEX_KIND_PRIMARY an INDEX_KIND_PARTITION_KEY, or remove this annotation";
    "P0107" Error clustering_without_partition(message: &str)
        "entity `{message}` has a clustering key and no partition key", "orders records within a partition",
        "mark the field that groups the records with INDEX_KIND_PARTITION_KEY, or this one with INDEX_KIND_PRIMARY";
    "P0108" Error duplicate_namespace(namespace: &str)
        "namespace \"{namespace}\" belongs to two entities", "taken already",
        "give each entity a namespace of its own";
    "P0109" Error duplicate_table(table: &str)
        "table `{table}` belongs to two entities", "taken already",
        "set another `table` in one of them; letter case does not tell tables apart";
    "P0110" Error reserved_table(table: &str, suggestion: &str)
        "table `{table}` is reserved", "`kv_`, `pg_`, `prism_`, `_prism_`, `sqlite_` and `_sqlx_` begin the names of tables that are not the schema's",
        "set `table: \"{suggestion}\"`";
    "P0111" Error bad_table(table: &str)
        "\"{table}\" is not a valid table name", "1 to 63 letters, digits and underscores, not beginning with a digit",
        "write letters, digits and underscores, or leave `table` out to name it after the namespace";
    "P0112" Error negative(option: &str, value: i64)
        "`{option}` is negative", "{value} is below 0",
        "write a number from 0 on; 0 is the same as leaving the option out";
    "P0113" Error backend(backend: &str, version: &str)
        "{backend} is not supported by Prism {version}", "asked for here",
        "write BACKEND_POSTGRES, BACKEND_SQLITE or BACKEND_MEMORY, or leave `backend` out";
    "P0114" Error later(option: &str, version: &str)
        "`{option}` is not supported by Prism {version}", "would have no effect",
        "remove it: Prism refuses an option that it cannot honour rather than ignore it";
    "P0115" Error unspecified(option: &str)
        "`{option}` is set to its UNSPECIFIED value", "says nothing",
        "choose a value, or remove the option to get its default";
    "P0116" Error bad_plural(plural: &str)
        "\"{plural}\" cannot stand in a method name", "letters and digits, beginning with a capital letter",
        "write the plural as it is in `ListThings`: \"Things\"";
    "P0117" Error table_of_key(table: &str)
        "no table can be called `{table}`", "PostgreSQL gives the name to the key of another table of the schema",
        "set another `table`";
    "P0118" Error too_many_fields(message: &str, count: usize, limit: usize)
        "entity `{message}` has {count} fields", "{limit} are the most that a table takes",
        "remove fields, or move some of them into a nested message, which is one column";
    "P0119" Error wide_key(message: &str, count: usize)
        "the key of `{message}` has {count} parts", "32 are the most that a key takes",
        "remove the annotation from some of them";
    "P0120" Error too_long_retention(days: i64, limit: u32)
        "`retention_days` is more than the times that a Timestamp has", "{days} days",
        "write a number up to {limit}, or remove `retention_days` to keep records for good";
}
