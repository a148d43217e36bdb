-- Times are milliseconds since the epoch. Addresses are text as Rust writes them.

CREATE TABLE fence (
    -- The number of the last claim or lease; there is one row.
    last INTEGER NOT NULL
) STRICT;
INSERT INTO fence VALUES (0);

CREATE TABLE tickets (
    id BLOB NOT NULL PRIMARY KEY,
    technician TEXT NOT NULL,
    target TEXT NOT NULL,
    -- Names separated by commas; NULL when the ticket does not narrow what rules grant.
    permissions TEXT,
    -- The only address from which the ticket may be used, or NULL.
    address TEXT,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    -- A secret under AES-256-GCM; NULL when there is none, and once the ticket has expired.
    sealed BLOB,
    withdrawn_at INTEGER,
    used_at INTEGER,
    used_by TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX tickets_by_expiry ON tickets (expires_at);

CREATE TABLE secrets (
    -- HMAC-SHA-256 of a secret that redeems the ticket.
    digest BLOB NOT NULL PRIMARY KEY,
    ticket BLOB NOT NULL REFERENCES tickets ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX secrets_by_ticket ON secrets (ticket);

CREATE TABLE failures (
    -- `address 192.0.2.7`, `network 2001:db8::/64`, `identity alice` or `everybody`.
    key TEXT NOT NULL PRIMARY KEY,
    failures INTEGER NOT NULL,
    failed_at INTEGER NOT NULL,
    locked_until INTEGER NOT NULL,
    forget_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX failures_by_end ON failures (forget_at);

CREATE TABLE leases (
    session BLOB NOT NULL PRIMARY KEY,
    fence INTEGER NOT NULL,
    node TEXT NOT NULL,
    technician TEXT NOT NULL,
    target TEXT NOT NULL,
    protocol TEXT NOT NULL,
    address TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_by TEXT,
    revoked_reason TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE certificates (
    target TEXT NOT NULL PRIMARY KEY,
    -- SHA-256 of the certificate in DER form.
    fingerprint BLOB NOT NULL,
    known_since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
