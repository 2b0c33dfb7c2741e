-- +goose Up
-- Sums over the requests that have ended, for each block of 8192 ids, so that sums over
-- all requests need not read each. durations and sizes are histograms of
-- duration_ms and total_tokens: see histogram.go of the audit. first_at and last_at enclose the starts of a row's requests, and may do so loosely.
CREATE TABLE audit_sums (
    block     INTEGER NOT NULL,
    model     TEXT    NOT NULL,
    backend   TEXT    NOT NULL,
    endpoint  TEXT    NOT NULL,
    status    TEXT    NOT NULL,
    n         INTEGER NOT NULL,
    tokens    INTEGER NOT NULL,
    first_at  INTEGER NOT NULL,
    last_at   INTEGER NOT NULL,
    durations BLOB    NOT NULL,
    sizes     BLOB    NOT NULL,
    PRIMARY KEY (block, model, backend, endpoint, status)
) STRICT, WITHOUT ROWID;

-- Blocks from this one on are in the sums. What was recorded before there were sums is
-- taken in by the running server, block by block down to zero.
ALTER TABLE audit_state ADD COLUMN summed_from INTEGER NOT NULL DEFAULT 0;
UPDATE audit_state SET summed_from = (SELECT coalesce(max(id) / 8192 + 1, 0) FROM requests);

-- +goose Down
ALTER TABLE audit_state DROP COLUMN summed_from;
DROP TABLE audit_sums;
