-- +goose Up
-- What pages can be sorted by, in runs of 1024 ids: a new record changes
-- pages of the newest run alone. In an index over all records each would change a
-- page of its own somewhere in the middle, which cost the writer more than all else.
DROP INDEX requests_duration_ms;
DROP INDEX requests_total_tokens;
CREATE INDEX requests_duration_ms  ON requests (id / 1024, duration_ms);
CREATE INDEX requests_total_tokens ON requests (id / 1024, total_tokens);

-- +goose Down
DROP INDEX requests_total_tokens;
DROP INDEX requests_duration_ms;
CREATE INDEX requests_duration_ms  ON requests (duration_ms);
CREATE INDEX requests_total_tokens ON requests (total_tokens);
