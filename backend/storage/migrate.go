package storage

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var embedded embed.FS

// migrations are the embedded files, named NNNNN_what.sql.
func migrations() fs.FS {
	sub, err := fs.Sub(embedded, "migrations")
	if err != nil {
		panic(err) // the folder is compiled in
	}
	return sub
}

// newest is the version of the last migration.
func newest() int64 {
	names, err := fs.Glob(migrations(), "*.sql")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	var last int64
	for _, name := range names {
		number, _, _ := strings.Cut(path.Base(name), "_")
		v, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			panic(fmt.Sprintf("migration %s has no number", name))
		}
		last = max(last, v)
	}
	return last
}

// compare says how a database's version stands to the program's.
func compare(current, known int64) error {
	switch {
	case current > known:
		return fmt.Errorf("%w (layout %d; this program knows %d)", ErrNewer, current, known)
	case current < known:
		return fmt.Errorf("%w (layout %d; this program needs %d)", ErrOlder, current, known)
	}
	return nil
}

// version reads the layout of a database: 0 for an empty one. It asks the table
// itself, for goose's own question would write.
func version(ctx context.Context, db *sql.DB) (int64, error) {
	var ours, tables int64
	err := db.QueryRowContext(ctx, `SELECT count(*) FILTER (WHERE name = 'goose_db_version'), count(*)
		FROM sqlite_master WHERE type = 'table'`).Scan(&ours, &tables)
	switch {
	case err != nil:
		return 0, err
	case ours == 0 && tables > 0:
		return 0, ErrNotDatabase
	case ours == 0:
		return 0, nil
	}
	var v int64
	err = db.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&v)
	return v, err
}

// migrate brings db to the newest layout. The usual start finds nothing to do
// and costs two small queries.
func migrate(ctx context.Context, db *sql.DB, fresh bool) error {
	if !fresh {
		current, err := version(ctx, db)
		if err != nil {
			return err
		}
		if current == newest() {
			return nil
		}
		if current > newest() {
			return compare(current, newest())
		}
	}
	return migrateTo(ctx, db, newest())
}

func migrateTo(ctx context.Context, db *sql.DB, target int64) error {
	p, err := goose.NewProvider(goose.DialectSQLite3, db, migrations(), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	if _, err := p.UpTo(ctx, target); err != nil { // p.Close would close db
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}
