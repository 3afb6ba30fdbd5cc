-- Rate limits: when the budget of a key will be full again, in milliseconds since 1970.
CREATE TABLE counter (
    key     TEXT    NOT NULL PRIMARY KEY,
    full_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX counter_full_at ON counter (full_at);

-- Used-up keys: until when they are remembered, in milliseconds since 1970.
CREATE TABLE once (
    key   TEXT    NOT NULL PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX once_until ON once (until);
