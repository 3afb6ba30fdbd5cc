-- Service accounts and their keys: palisade_core::port::api_key. Scopes, roles and networks are JSON lists of texts;
-- moments are milliseconds since 1970.
CREATE TABLE service_account (
    id       TEXT    NOT NULL PRIMARY KEY,
    tenant   TEXT,
    name     TEXT    NOT NULL,
    status   TEXT    NOT NULL CHECK (status IN ('active', 'disabled')),
    scopes   TEXT    NOT NULL,
    roles    TEXT    NOT NULL,
    networks TEXT    NOT NULL,
    made     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE api_key (
    id         TEXT    NOT NULL PRIMARY KEY,
    account    TEXT    NOT NULL REFERENCES service_account (id) ON DELETE CASCADE,
    hash       BLOB    NOT NULL CHECK (length(hash) = 32),
    created    INTEGER NOT NULL,
    expires    INTEGER,
    last_used  INTEGER,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX api_key_account ON api_key (account);
