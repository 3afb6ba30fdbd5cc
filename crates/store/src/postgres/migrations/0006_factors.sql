-- Second factors. One that can be proven until `pending_until` does not count yet.
CREATE TABLE palisade_factor (
    id            text   COLLATE "C" PRIMARY KEY,
    user_id       text   COLLATE "C" NOT NULL,
    kind          text   NOT NULL,
    label         text   NOT NULL,
    data          bytea  NOT NULL,
    counter       bigint NOT NULL CHECK (counter >= 0),
    created       bigint NOT NULL,
    used          bigint,
    pending_until bigint
);

CREATE INDEX palisade_factor_user_id ON palisade_factor (user_id);

-- Recovery codes that are not used up, by their SHA-256.
CREATE TABLE palisade_recovery_code (
    user_id text  COLLATE "C" NOT NULL,
    code    bytea NOT NULL CHECK (length(code) = 32),
    PRIMARY KEY (user_id, code)
);

-- Ceremonies of WebAuthn that have begun.
CREATE TABLE palisade_ceremony (
    id          bytea  PRIMARY KEY CHECK (length(id) = 32),
    state       bytea  NOT NULL,
    taken_until bigint NOT NULL
);

CREATE INDEX palisade_ceremony_taken_until ON palisade_ceremony (taken_until);
