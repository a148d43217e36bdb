CREATE TABLE documents (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    -- From the numbers of claims and leases.
    version INTEGER NOT NULL,
    -- From when on the document is absent, or NULL.
    expires_at INTEGER,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX documents_by_expiry ON documents (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE memory (
    -- Raised by each change of what is allowed; there is one row.
    epoch INTEGER NOT NULL,
    -- From when on single uses are remembered; NULL until it is first asked for.
    since INTEGER
) STRICT;
INSERT INTO memory VALUES (0, NULL);

-- What was asked for last; as in tickets.
ALTER TABLE leases ADD COLUMN permissions TEXT;

-- A JSON object, or NULL when it is empty.
ALTER TABLE tickets ADD COLUMN context TEXT;
