-- Families of refresh tokens, one row each: palisade_core::port::refresh. Moments and spans are in milliseconds.
CREATE TABLE refresh (
    id            BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    salt          BLOB    NOT NULL CHECK (length(salt) = 16),
    key           TEXT    NOT NULL,
    client        TEXT    NOT NULL,
    subject       TEXT    NOT NULL,
    tenant        TEXT,
    session       TEXT,
    binding       TEXT,
    scopes        TEXT    NOT NULL,
    resources     TEXT    NOT NULL,
    level         TEXT    NOT NULL,
    methods       TEXT    NOT NULL,
    authenticated INTEGER NOT NULL,
    begun         INTEGER NOT NULL,
    idle          INTEGER NOT NULL,
    until         INTEGER NOT NULL,
    generation    INTEGER NOT NULL CHECK (generation BETWEEN 0 AND 4294967295),
    rotated_at    INTEGER NOT NULL,
    used          INTEGER NOT NULL CHECK (used IN (0, 1)),
    idle_until    INTEGER NOT NULL,
    revoked_at    INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX refresh_subject ON refresh (subject);
CREATE INDEX refresh_session ON refresh (session) WHERE session IS NOT NULL;
CREATE INDEX refresh_until ON refresh (until);
