-- How often a second factor has failed in a row, and since when it is disabled for that.
ALTER TABLE palisade_factor
    ADD COLUMN failures bigint NOT NULL DEFAULT 0 CHECK (failures >= 0),
    ADD COLUMN disabled bigint;
