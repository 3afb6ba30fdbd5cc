-- Opaque access tokens: palisade_core::port::access_token. What is taken back is deleted. The moment is in milliseconds.
CREATE TABLE palisade_access_token (
    hash    bytea  PRIMARY KEY CHECK (length(hash) = 32),
    subject text   COLLATE "C" NOT NULL,
    session text   COLLATE "C",
    claims  text   NOT NULL,
    expires bigint NOT NULL
);

CREATE INDEX palisade_access_token_subject ON palisade_access_token (subject);
CREATE INDEX palisade_access_token_session ON palisade_access_token (session) WHERE session IS NOT NULL;
CREATE INDEX palisade_access_token_expires ON palisade_access_token (expires);
