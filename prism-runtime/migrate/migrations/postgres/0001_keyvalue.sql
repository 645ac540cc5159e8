SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

-- One row for each key-value item, and for each deleted one until its token is too old to be used.
CREATE TABLE kv_items (
    namespace TEXT COLLATE "C" NOT NULL,
    -- UTF-8. Not TEXT, which holds no NUL.
    id BYTEA NOT NULL,
    key BYTEA NOT NULL,
    -- Orders the writes of the item: microseconds since the Unix epoch.
    token BIGINT NOT NULL,
    -- The number of an enum's value has 32 bits.
    -- squawk-ignore prefer-bigint-over-int
    compression INTEGER NOT NULL,
    ttl_seconds BIGINT NOT NULL,
    created_at_millis BIGINT NOT NULL,
    updated_at_millis BIGINT NOT NULL,
    -- Microseconds since the Unix epoch from which on the item is gone. NULL: never.
    expires_at BIGINT,
    -- Microseconds since the Unix epoch after which the row is of no use: a deleted or expired
    -- item is remembered until then. NULL: never.
    removable_at BIGINT,
    -- NULL: deleted.
    value BYTEA,
    PRIMARY KEY (namespace, id, key)
);

-- For the sweep.
CREATE INDEX kv_items_removable ON kv_items (removable_at) WHERE removable_at IS NOT NULL;

-- Namespaces that were written to without having been declared.
CREATE TABLE kv_namespaces (
    namespace TEXT COLLATE "C" NOT NULL PRIMARY KEY
);

-- No namespace: the row that whoever adds one locks, so that they are counted one after another.
INSERT INTO kv_namespaces (namespace) VALUES ('');
