-- +goose Up
-- API keys that were given out. Of a key there is its SHA-256 only: who reads this file
-- cannot ask with it. models is a JSON list of patterns; zero limits nothing. Times are milliseconds since 1970.
CREATE TABLE access_keys (
    id                  TEXT    PRIMARY KEY,
    hash                BLOB    NOT NULL UNIQUE,
    name                TEXT    NOT NULL,
    hint                TEXT    NOT NULL,
    models              TEXT    NOT NULL,
    requests_per_minute INTEGER NOT NULL,
    tokens_per_day      INTEGER NOT NULL,
    created_at          INTEGER NOT NULL,
    last_used_at        INTEGER
) STRICT;

-- +goose Down
DROP TABLE access_keys;
