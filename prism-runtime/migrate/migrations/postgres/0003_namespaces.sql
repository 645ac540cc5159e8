SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

-- Microseconds since the Unix epoch. A server that writes to a namespace has looked it up no longer
-- ago than this, so that one that has not been looked up for long, and is empty, can be removed.
ALTER TABLE kv_namespaces ADD COLUMN used_at BIGINT NOT NULL DEFAULT 0;
