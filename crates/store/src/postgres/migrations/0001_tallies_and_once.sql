-- The three numbers of palisade_core::port::counter::Tally, and from when on they mean nothing any more, in milliseconds
-- since 1970. The names of keys are digests.
CREATE TABLE palisade_tally (
    key      text   COLLATE "C" PRIMARY KEY,
    at       bigint NOT NULL CHECK (at >= 0),
    previous bigint NOT NULL CHECK (previous BETWEEN 0 AND 4294967295),
    current  bigint NOT NULL CHECK (current BETWEEN 0 AND 4294967295),
    over_at  bigint NOT NULL
);

CREATE INDEX palisade_tally_over_at ON palisade_tally (over_at);

-- Used-up keys: until when they are remembered, in milliseconds since 1970.
CREATE TABLE palisade_once (
    key        text   COLLATE "C" PRIMARY KEY,
    used_until bigint NOT NULL
);

CREATE INDEX palisade_once_used_until ON palisade_once (used_until);
