-- +goose Up
-- left_to tells which providers elsewhere were sent a request, with the bytes of both ways: a list
-- in JSON, empty for what stayed on this machine. Of older records it says what they tell: those
-- that a provider answered, or failed to once it was reached. Their bytes were not counted.
ALTER TABLE requests ADD COLUMN left_to TEXT NOT NULL DEFAULT '';
UPDATE requests SET left_to = json_array(json_object('provider', provider,
        'http_status', CASE status WHEN 'success' THEN 200 ELSE 0 END, 'bytes_out', 0, 'bytes_in', 0))
    WHERE backend <> 'LOCAL' AND provider <> '' AND attempts > 0 AND error_type NOT IN
        ('upstream-unreachable', 'connect-timeout', 'upstream-key', 'not-offered', 'invalid-request', 'circuit-open', 'local-only');

-- What was sent to whom, and what it cost, by quarter of an hour: midnight of every time zone is
-- at the end of one. A block is one of 8192 ids, as in audit_sums, so that records that are deleted
-- can be taken away. cost_nanos is in thousand-millionths of a dollar.
CREATE TABLE audit_tallies (
    block             INTEGER NOT NULL,
    quarter           INTEGER NOT NULL,
    provider          TEXT    NOT NULL,
    away              INTEGER NOT NULL,
    requests          INTEGER NOT NULL,
    failed            INTEGER NOT NULL,
    prompt_tokens     INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cached_tokens     INTEGER NOT NULL,
    bytes_out         INTEGER NOT NULL,
    bytes_in          INTEGER NOT NULL,
    cost_nanos        INTEGER NOT NULL,
    unpriced          INTEGER NOT NULL,
    PRIMARY KEY (block, quarter, provider, away)
) STRICT, WITHOUT ROWID;

-- How many of a row's requests left this machine. All sums are made anew by the running server.
ALTER TABLE audit_sums ADD COLUMN away INTEGER NOT NULL DEFAULT 0;
DELETE FROM audit_sums;
UPDATE audit_state SET summed_from = (SELECT coalesce(max(id) / 8192 + 1, 0) FROM requests);

-- +goose Down
ALTER TABLE audit_sums DROP COLUMN away;
DROP TABLE audit_tallies;
ALTER TABLE requests DROP COLUMN left_to;
