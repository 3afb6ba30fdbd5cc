-- Opaque access tokens: palisade_core::port::access_token. What is taken back is deleted. The moment is in milliseconds.
CREATE TABLE access_token (
    hash    BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    subject TEXT    NOT NULL,
    session TEXT,
    claims  TEXT    NOT NULL,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX access_token_subject ON access_token (subject);
CREATE INDEX access_token_session ON access_token (session) WHERE session IS NOT NULL;
CREATE INDEX access_token_expires ON access_token (expires);
