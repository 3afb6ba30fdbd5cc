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
