-- +goose Up
-- Results of mlx-benchmark, one file a row. summary is the file as JSON without its samples,
-- for lists; file is the whole, compressed with gzip; hash tells whether the same was kept before. Times are milliseconds since
-- 1970, UTC. What is deleted stays for a moment with its time in deleted_at, so that it can be had back. No id is given twice.
CREATE TABLE benchmarks (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    started_at INTEGER NOT NULL,
    command    TEXT    NOT NULL,
    label      TEXT    NOT NULL,
    summary    TEXT    NOT NULL,
    file       BLOB    NOT NULL,
    hash       BLOB    NOT NULL,
    deleted_at INTEGER
) STRICT;

CREATE UNIQUE INDEX benchmarks_hash       ON benchmarks (hash);
CREATE INDEX        benchmarks_started_at ON benchmarks (started_at);
CREATE INDEX        benchmarks_deleted_at ON benchmarks (deleted_at) WHERE deleted_at IS NOT NULL;

-- +goose Down
DROP TABLE benchmarks;
