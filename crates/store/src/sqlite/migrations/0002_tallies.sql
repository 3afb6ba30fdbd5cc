-- Rate limits count in two ways now, and GCRA in nanoseconds: what was counted before starts anew.
DROP TABLE counter;

-- The three numbers of palisade_core::port::counter::Tally, and from when on they mean nothing any more, in milliseconds
-- since 1970.
CREATE TABLE tally (
    key      TEXT    NOT NULL PRIMARY KEY,
    at       INTEGER NOT NULL,
    previous INTEGER NOT NULL,
    current  INTEGER NOT NULL,
    over_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX tally_over_at ON tally (over_at);
