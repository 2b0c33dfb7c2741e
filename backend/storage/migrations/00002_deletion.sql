-- +goose Up
-- "Delete all" first takes records out of sight, and a while later for good. What is out of
-- sight stands here, so that every reader of the file obeys: records up to the id
-- deleted_upto, but for those that deletion_spared names, until deleted_until (milliseconds
-- since 1970). Zero means that there is no deletion. last_id is the highest id that was ever
-- deleted: no id is given twice.
CREATE TABLE audit_state (
    deleted_upto  INTEGER NOT NULL,
    deleted_until INTEGER NOT NULL,
    last_id       INTEGER NOT NULL
) STRICT;
INSERT INTO audit_state (deleted_upto, deleted_until, last_id) VALUES (0, 0, 0);

-- Requests that ran when the others were deleted.
CREATE TABLE deletion_spared (id INTEGER PRIMARY KEY) STRICT;

-- What pages can be sorted by, with the id behind it.
CREATE INDEX requests_duration_ms  ON requests (duration_ms);
CREATE INDEX requests_total_tokens ON requests (total_tokens);

-- +goose Down
DROP INDEX requests_total_tokens;
DROP INDEX requests_duration_ms;
DROP TABLE deletion_spared;
DROP TABLE audit_state;
