-- +goose Up
-- One row per inference request; metadata only. Times are milliseconds since 1970, UTC.
-- No CHECK constraints: a row that the table refuses would stop the batch that holds it,
-- so records are checked before they are queued.
CREATE TABLE requests (
    id                INTEGER PRIMARY KEY,
    started_at        INTEGER NOT NULL,
    status            TEXT    NOT NULL,
    backend           TEXT    NOT NULL,
    stream            INTEGER NOT NULL,
    http_status       INTEGER,
    duration_ms       REAL,
    ttft_ms           REAL,
    prompt_tokens     INTEGER,
    completion_tokens INTEGER,
    total_tokens      INTEGER,
    cached_tokens     INTEGER,
    prompt_ms         REAL,
    generation_ms     REAL,
    attempts          INTEGER NOT NULL,
    cost_usd          REAL,
    model             TEXT    NOT NULL,
    served_model      TEXT    NOT NULL,
    provider          TEXT    NOT NULL,
    endpoint          TEXT    NOT NULL,
    error_type        TEXT    NOT NULL,
    request_id        TEXT    NOT NULL,
    client            TEXT    NOT NULL,
    key_id            TEXT    NOT NULL
) STRICT;

-- Every index ends with the id, so each filter yields its rows newest first.
CREATE INDEX requests_started_at ON requests (started_at);
CREATE INDEX requests_model      ON requests (model);
CREATE INDEX requests_backend    ON requests (backend);
CREATE INDEX requests_endpoint   ON requests (endpoint);

-- Most requests succeed: those are found in the table itself, the others here.
CREATE INDEX requests_running ON requests (id) WHERE status = 'running';
CREATE INDEX requests_errors  ON requests (id) WHERE status NOT IN ('success', 'running');

-- +goose Down
DROP TABLE requests;
