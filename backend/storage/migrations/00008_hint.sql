-- +goose Up
-- hint names what made a request slower than it need have been, by a word of ours: see audit.Record.
ALTER TABLE requests ADD COLUMN hint TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE requests DROP COLUMN hint;
