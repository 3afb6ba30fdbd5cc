-- Families of refresh tokens, one row each: palisade_core::port::refresh. Moments and spans are in milliseconds. What
-- changes with each refresh has no index, and there is room for it on the page, so that no index is written.
CREATE TABLE palisade_refresh (
    id            bytea  PRIMARY KEY CHECK (length(id) = 16),
    salt          bytea  NOT NULL CHECK (length(salt) = 16),
    key           text   NOT NULL,
    client        text   NOT NULL,
    subject       text   COLLATE "C" NOT NULL,
    tenant        text,
    session       text   COLLATE "C",
    binding       text,
    scopes        text   NOT NULL,
    resources     text   NOT NULL,
    level         text   NOT NULL,
    methods       text   NOT NULL,
    authenticated bigint NOT NULL,
    begun         bigint NOT NULL,
    idle          bigint NOT NULL,
    until         bigint NOT NULL,
    generation    bigint NOT NULL CHECK (generation BETWEEN 0 AND 4294967295),
    rotated_at    bigint NOT NULL,
    used          bigint NOT NULL CHECK (used IN (0, 1)),
    idle_until    bigint NOT NULL,
    revoked_at    bigint
) WITH (fillfactor = 70);

CREATE INDEX palisade_refresh_subject ON palisade_refresh (subject);
CREATE INDEX palisade_refresh_session ON palisade_refresh (session) WHERE session IS NOT NULL;
CREATE INDEX palisade_refresh_until ON palisade_refresh (until);
