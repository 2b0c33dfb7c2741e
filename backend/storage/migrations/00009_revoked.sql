-- +goose Up
-- A key that was taken back stays for a moment with its time in revoked_at, so that it can be had back, by a server that was
-- started meanwhile as well. It lets nobody in.
ALTER TABLE access_keys ADD COLUMN revoked_at INTEGER;

-- +goose Down
DELETE FROM access_keys WHERE revoked_at IS NOT NULL;
ALTER TABLE access_keys DROP COLUMN revoked_at;
