package records

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"mlxbar/backend/audit"
	"mlxbar/backend/storage"
)

// Fill makes records in the database at path, which it makes too if there is none, behind
// the ones that are there. No server may have it open. An interruption may leave a
// database without indexes: delete it then.
func Fill(ctx context.Context, path string, o Options) (err error) {
	db, err := storage.Open(ctx, path, storage.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Writer.QueryRowContext(ctx, "SELECT coalesce(max(id), 0) + 1 FROM requests").Scan(&o.FirstID); err != nil {
		return err
	}
	indexes, err := dropIndexes(ctx, db.Writer)
	if err != nil {
		return fmt.Errorf("fill the audit: %w", err)
	}
	// Nobody else reads the file and nobody misses what a crash takes.
	if err := run(ctx, db.Writer, "PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA cache_size = -65536", "PRAGMA temp_store = MEMORY", "PRAGMA threads = 4"); err != nil {
		return err
	}
	if _, err := audit.NewStore(db).Import(ctx, Generate(o)); err != nil {
		return fmt.Errorf("fill the audit: %w", err)
	}
	return run(ctx, db.Writer, append(indexes, "PRAGMA journal_mode = WAL")...)
}

// dropIndexes drops the indexes of the records, which are made much faster at once than
// record by record, and returns how to make them.
func dropIndexes(ctx context.Context, db *sql.DB) (again []string, err error) {
	rows, err := db.QueryContext(ctx, "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'requests' AND sql IS NOT NULL")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var drops []string
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			return nil, err
		}
		drops, again = append(drops, "DROP INDEX "+name), append(again, text)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	return again, run(ctx, db, drops...)
}

func run(ctx context.Context, db *sql.DB, statements ...string) error {
	for _, s := range statements {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("fill the audit: %s: %w", s, err)
		}
	}
	return nil
}
