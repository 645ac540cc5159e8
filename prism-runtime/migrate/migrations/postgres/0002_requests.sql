SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

-- Request ids of typed calls, kept for 24 hours: what a repeated call is recognized by.
CREATE TABLE prism_requests (
    caller TEXT COLLATE "C" NOT NULL,
    -- /package.Service/Method
    method TEXT COLLATE "C" NOT NULL,
    namespace TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    body_hash BYTEA NOT NULL,
    -- The key of the record that the call wrote, as the entity store encodes it.
    record_key BYTEA NOT NULL,
    -- Microseconds since the Unix epoch.
    created_at BIGINT NOT NULL,
    PRIMARY KEY (caller, method, namespace, request_id)
);

-- For the sweep.
CREATE INDEX prism_requests_created ON prism_requests (created_at);
