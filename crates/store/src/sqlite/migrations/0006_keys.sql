-- Signing keys: palisade_core::port::key. Moments are in milliseconds; the private half is sealed, or gone.
CREATE TABLE signing_key (
    purpose     TEXT NOT NULL,
    number      INTEGER NOT NULL CHECK (number BETWEEN 1 AND 4294967295),
    algorithm   TEXT NOT NULL,
    public      TEXT NOT NULL,
    sealed      BLOB,
    created     INTEGER NOT NULL,
    active_from INTEGER NOT NULL,
    revoked_at  INTEGER,
    PRIMARY KEY (purpose, number)
) STRICT, WITHOUT ROWID;

-- Revocations: palisade_core::port::revocation. No place is given twice.
CREATE TABLE revocation (
    place      INTEGER PRIMARY KEY AUTOINCREMENT,
    issuer     TEXT NOT NULL,
    kind       TEXT NOT NULL,
    name       TEXT NOT NULL,
    revoked_at INTEGER NOT NULL,
    until      INTEGER NOT NULL
) STRICT;

CREATE INDEX revocation_until ON revocation (until);
