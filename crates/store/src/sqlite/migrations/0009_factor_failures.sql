-- How often a second factor has failed in a row, and since when it is disabled for that.
ALTER TABLE factor ADD COLUMN failures INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0);
ALTER TABLE factor ADD COLUMN disabled INTEGER;
