-- Sessions, found by the SHA-256 of their ids. Moments and spans are in milliseconds; what stands in `holder` and
-- `former` is the JSON of holder.rs. `over_at` is when the session ends unless it is seen before.
CREATE TABLE palisade_session (
    handle       text   COLLATE "C" PRIMARY KEY,
    id           bytea  NOT NULL UNIQUE CHECK (length(id) = 32),
    user_id      text   COLLATE "C" NOT NULL,
    holder       text   NOT NULL,
    created      bigint NOT NULL,
    seen         bigint NOT NULL,
    idle         bigint NOT NULL,
    ends         bigint NOT NULL,
    over_at      bigint NOT NULL,
    former_id    bytea  UNIQUE CHECK (length(former_id) = 32),
    former_until bigint,
    former       text
);

CREATE INDEX palisade_session_user_id ON palisade_session (user_id);
CREATE INDEX palisade_session_over_at ON palisade_session (over_at);
