-- Request ids of typed calls, kept for 24 hours: what a repeated call is recognized by.
CREATE TABLE prism_requests (
    caller TEXT NOT NULL,
    -- /package.Service/Method
    method TEXT NOT NULL,
    namespace TEXT NOT NULL,
    request_id TEXT NOT NULL,
    body_hash BLOB NOT NULL,
    -- The key of the record that the call wrote, as the entity store encodes it.
    record_key BLOB NOT NULL,
    -- Microseconds since the Unix epoch.
    created_at INTEGER NOT NULL,
    PRIMARY KEY (caller, method, namespace, request_id)
) WITHOUT ROWID;

-- For the sweep.
CREATE INDEX prism_requests_created ON prism_requests (created_at);
