-- One row for each key-value item, and for each deleted one until its token is too old to be used.
CREATE TABLE kv_items (
    namespace TEXT NOT NULL,
    id TEXT NOT NULL,
    key BLOB NOT NULL,
    -- Orders the writes of the item: microseconds since the Unix epoch.
    token INTEGER NOT NULL,
    compression INTEGER NOT NULL,
    ttl_seconds INTEGER NOT NULL,
    created_at_millis INTEGER NOT NULL,
    updated_at_millis INTEGER NOT NULL,
    -- Microseconds since the Unix epoch from which on the item is gone. NULL: never.
    expires_at INTEGER,
    -- Microseconds since the Unix epoch after which the row is of no use: a deleted or expired
    -- item is remembered until then. NULL: never.
    removable_at INTEGER,
    -- NULL: deleted. Last, so that a write need not read it to see the rest.
    value BLOB,
    PRIMARY KEY (namespace, id, key)
) WITHOUT ROWID;

-- For the sweep.
CREATE INDEX kv_items_removable ON kv_items (removable_at) WHERE removable_at IS NOT NULL;

-- Namespaces that were written to without having been declared.
CREATE TABLE kv_namespaces (
    namespace TEXT NOT NULL PRIMARY KEY
) WITHOUT ROWID;
