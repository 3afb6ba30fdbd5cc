-- Accounts of people. Moments are milliseconds since 1970.
CREATE TABLE palisade_account (
    id               text    COLLATE "C" PRIMARY KEY,
    tenant           text    COLLATE "C",
    name             text    COLLATE "C" NOT NULL,
    status           text    NOT NULL CHECK (status IN ('active', 'disabled')),
    password         text,
    password_alone   boolean NOT NULL,
    password_version bigint  NOT NULL CHECK (password_version > 0),
    roles            text[]  NOT NULL,
    scopes           text[]  NOT NULL,
    created          bigint  NOT NULL,
    changed          bigint  NOT NULL
);

-- Without an organization is a place of its own, unlike an organization of the empty name.
CREATE UNIQUE INDEX palisade_account_name ON palisade_account (coalesce('=' || tenant, ''), name);

-- Failures in a row of one authenticator; until when it is disabled.
CREATE TABLE palisade_authenticator_failure (
    account        text   COLLATE "C" NOT NULL REFERENCES palisade_account (id) ON DELETE CASCADE,
    authenticator  text   COLLATE "C" NOT NULL,
    in_a_row       bigint NOT NULL CHECK (in_a_row > 0),
    disabled_until bigint,
    PRIMARY KEY (account, authenticator)
);
