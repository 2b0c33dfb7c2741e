-- +goose Up
-- Records by their request's id, in runs of 1024 ids as those by their figures: a new record changes
-- a page of the newest run alone. The end of an id is enough, and is where those differ that clients make up.
CREATE INDEX requests_request_id ON requests (id / 1024, substr(request_id, -8));

-- +goose Down
DROP INDEX requests_request_id;
