-- Accounts of people. Roles and scopes are JSON lists of texts; moments are milliseconds since 1970.
CREATE TABLE account (
    id               TEXT    NOT NULL PRIMARY KEY,
    tenant           TEXT,
    name             TEXT    NOT NULL,
    status           TEXT    NOT NULL CHECK (status IN ('active', 'disabled')),
    password         TEXT,
    password_alone   INTEGER NOT NULL CHECK (password_alone IN (0, 1)),
    password_version INTEGER NOT NULL CHECK (password_version > 0),
    roles            TEXT    NOT NULL,
    scopes           TEXT    NOT NULL,
    created          INTEGER NOT NULL,
    changed          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Without an organization is a place of its own, unlike an organization of the empty name.
CREATE UNIQUE INDEX account_name ON account (coalesce('=' || tenant, ''), name);

-- Failures in a row of one authenticator; until when it is disabled.
CREATE TABLE authenticator_failure (
    account        TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    authenticator  TEXT    NOT NULL,
    in_a_row       INTEGER NOT NULL CHECK (in_a_row > 0),
    disabled_until INTEGER,
    PRIMARY KEY (account, authenticator)
) STRICT, WITHOUT ROWID;
