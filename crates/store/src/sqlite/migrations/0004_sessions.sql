-- Sessions, found by the SHA-256 of their ids. Moments and spans are in milliseconds; what stands in `holder` and
-- `former` is the JSON of holder.rs. `over_at` is when the session ends unless it is seen before.
CREATE TABLE session (
    handle       TEXT    NOT NULL PRIMARY KEY,
    id           BLOB    NOT NULL UNIQUE CHECK (length(id) = 32),
    user_id      TEXT    NOT NULL,
    holder       TEXT    NOT NULL,
    created      INTEGER NOT NULL,
    seen         INTEGER NOT NULL,
    idle         INTEGER NOT NULL,
    ends         INTEGER NOT NULL,
    over_at      INTEGER NOT NULL,
    former_id    BLOB    UNIQUE CHECK (length(former_id) = 32),
    former_until INTEGER,
    former       TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX session_user_id ON session (user_id);
CREATE INDEX session_over_at ON session (over_at);
