-- Second factors. One that can be proven until `pending_until` does not count yet.
CREATE TABLE factor (
    id            TEXT    NOT NULL PRIMARY KEY,
    user_id       TEXT    NOT NULL,
    kind          TEXT    NOT NULL,
    label         TEXT    NOT NULL,
    data          BLOB    NOT NULL,
    counter       INTEGER NOT NULL CHECK (counter >= 0),
    created       INTEGER NOT NULL,
    used          INTEGER,
    pending_until INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX factor_user_id ON factor (user_id);

-- Recovery codes that are not used up, by their SHA-256.
CREATE TABLE recovery_code (
    user_id TEXT NOT NULL,
    code    BLOB NOT NULL CHECK (length(code) = 32),
    PRIMARY KEY (user_id, code)
) STRICT, WITHOUT ROWID;

-- Ceremonies of WebAuthn that have begun.
CREATE TABLE ceremony (
    id    BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    state BLOB    NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX ceremony_until ON ceremony (until);
