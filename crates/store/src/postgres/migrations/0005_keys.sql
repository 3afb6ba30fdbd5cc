-- Signing keys: palisade_core::port::key. Moments are in milliseconds; the private half is sealed, or gone.
CREATE TABLE palisade_signing_key (
    purpose     text NOT NULL,
    number      bigint NOT NULL CHECK (number BETWEEN 1 AND 4294967295),
    algorithm   text NOT NULL,
    public      text NOT NULL,
    sealed      bytea,
    created     bigint NOT NULL,
    active_from bigint NOT NULL,
    revoked_at  bigint,
    PRIMARY KEY (purpose, number)
);

-- Revocations: palisade_core::port::revocation. No place is given twice.
CREATE TABLE palisade_revocation (
    place      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer     text NOT NULL,
    kind       text NOT NULL,
    name       text NOT NULL,
    revoked_at bigint NOT NULL,
    until      bigint NOT NULL
);

CREATE INDEX palisade_revocation_until ON palisade_revocation (until);
