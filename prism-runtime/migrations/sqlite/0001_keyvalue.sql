-- One row for each key-value item, and for each deleted one until its token is too old to be used.
CREATE TABLE kv_items (
    namespace TEXT NOT NULL,
    id TEXT NOT NULL,
    key BLOB NOT NULL,
    -- Microseconds since the Unix epoch; orders the writes of the item.
    token INTEGER NOT NULL,
    -- NULL: deleted.
    value BLOB,
    compression INTEGER NOT NULL,
    ttl_seconds INTEGER NOT NULL,
    created_at_millis INTEGER NOT NULL,
    updated_at_millis INTEGER NOT NULL,
    -- Microseconds since the Unix epoch after which the row is of no use: a deleted or expired
    -- item must be remembered until then. NULL: kept.
    removable_at INTEGER,
    PRIMARY KEY (namespace, id, key)
) WITHOUT ROWID;

-- For the sweep.
CREATE INDEX kv_items_removable ON kv_items (removable_at) WHERE removable_at IS NOT NULL;

-- Namespaces that were written to without having been declared.
CREATE TABLE kv_namespaces (
    namespace TEXT NOT NULL PRIMARY KEY
) WITHOUT ROWID;
