-- +goose Up
-- repeated counts those of a row's requests that had left to another provider before, and count there as well. Only records
-- that left to several say so; the first of them is no repetition.
ALTER TABLE audit_tallies ADD COLUMN repeated INTEGER NOT NULL DEFAULT 0;
UPDATE audit_tallies SET repeated = coalesce((
    SELECT n FROM (
        SELECT r.id / 8192 AS block, r.started_at / 900000 AS quarter, d.value ->> '$.provider' AS provider, count(*) AS n
        FROM requests r, json_each(r.left_to) d
        WHERE r.left_to LIKE '%},{%' AND r.status <> 'running' AND d.key > 0
        GROUP BY 1, 2, 3) AS again
    WHERE again.block = audit_tallies.block AND again.quarter = audit_tallies.quarter AND again.provider = audit_tallies.provider), 0)
    WHERE away = 1 AND EXISTS (SELECT 1 FROM requests WHERE left_to LIKE '%},{%');

-- +goose Down
ALTER TABLE audit_tallies DROP COLUMN repeated;
