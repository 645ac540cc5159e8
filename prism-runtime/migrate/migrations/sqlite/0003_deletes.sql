-- Deletes that count as made, of which a part is still to be done: one row for each record that has
-- one. What the row covers is read as deleted.
CREATE TABLE kv_deletes (
    namespace TEXT NOT NULL,
    id TEXT NOT NULL,
    -- The items that are still to be deleted: from this key on and before the other.
    next_key BLOB NOT NULL,
    end_key BLOB NOT NULL,
    -- Orders the Delete. NULL: it wins over every item.
    token INTEGER,
    -- When it was made, in microseconds since the Unix epoch.
    made_at INTEGER NOT NULL,
    -- For how long after its token it is remembered, in microseconds.
    remembered INTEGER NOT NULL,
    PRIMARY KEY (namespace, id)
) WITHOUT ROWID;
