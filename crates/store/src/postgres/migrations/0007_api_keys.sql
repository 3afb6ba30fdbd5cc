-- Service accounts and their keys: palisade_core::port::api_key. Scopes, roles and networks are JSON lists of texts;
-- moments are milliseconds since 1970.
CREATE TABLE palisade_service_account (
    id       text   NOT NULL PRIMARY KEY,
    tenant   text,
    name     text   NOT NULL,
    status   text   NOT NULL CHECK (status IN ('active', 'disabled')),
    scopes   text   NOT NULL,
    roles    text   NOT NULL,
    networks text   NOT NULL,
    made     bigint NOT NULL
);

CREATE TABLE palisade_api_key (
    id         text   NOT NULL PRIMARY KEY,
    account    text   NOT NULL REFERENCES palisade_service_account (id) ON DELETE CASCADE,
    hash       bytea  NOT NULL CHECK (length(hash) = 32),
    created    bigint NOT NULL,
    expires    bigint,
    last_used  bigint,
    revoked_at bigint
);

CREATE INDEX palisade_api_key_account ON palisade_api_key (account);
