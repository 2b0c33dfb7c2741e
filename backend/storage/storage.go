// Package storage opens mlxbar's SQLite database: one connection that writes,
// a few that read, and the migrations that bring its tables to the layout this
// program knows.
package storage

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"

	"github.com/mattn/go-sqlite3"
)

// Options tune a database.
type Options struct {
	// Strict makes every commit wait until it is on the disk. Without it a loss
	// of power may cost the last commits, a crash of the program none.
	Strict bool
	// Readers is the number of reading connections; 0 means 4.
	Readers int
}

const defaultReaders = 4

// DB is an open database. SQLite has one writer at a time, so Writer holds one
// connection: who waits for it waits in Go, and not in SQLite's busy loop.
type DB struct {
	Writer  *sql.DB // nil when opened read-only
	Readers *sql.DB // query_only
	path    string
}

// Path is the database's file.
func (db *DB) Path() string { return db.path }

// Open opens the database at path, makes it with mode 0600 if there is none, and
// migrates it. Its errors are an *Error.
func Open(ctx context.Context, path string, opts Options) (*DB, error) {
	fresh, err := ensureFile(path)
	if err != nil {
		return nil, err
	}
	db := &DB{path: path, Writer: sql.OpenDB(connector{writerDSN(path, opts), writerPragmas})}
	db.Writer.SetMaxOpenConns(1)
	if err := migrate(ctx, db.Writer, fresh); err != nil {
		return nil, errors.Join(translate("open", path, err), db.Writer.Close())
	}
	db.openReaders(opts)
	return db, nil
}

// OpenReadOnly opens an existing database without changing anything in it,
// whether a server has it open or not. A layout other than this program's is an error.
func OpenReadOnly(ctx context.Context, path string) (*DB, error) {
	if err := checkHeader(path); err != nil {
		return nil, err
	}
	db := &DB{path: path}
	db.openReaders(Options{})
	current, err := version(ctx, db.Readers)
	if err == nil {
		err = compare(current, newest())
	}
	if err != nil {
		return nil, errors.Join(translate("open", path, err), db.Close())
	}
	return db, nil
}

func (db *DB) openReaders(opts Options) {
	n := opts.Readers
	if n <= 0 {
		n = defaultReaders
	}
	db.Readers = sql.OpenDB(connector{dsn: readerDSN(db.path)})
	db.Readers.SetMaxOpenConns(n)
	db.Readers.SetMaxIdleConns(n)
}

// Close closes the readers first, so that the writer is last to leave and folds
// the write-ahead log into the file.
func (db *DB) Close() error {
	err := db.Readers.Close()
	if db.Writer != nil {
		err = errors.Join(err, db.Writer.Close())
	}
	return err
}

// ensureFile makes sure that path is a file that only its owner can read and
// that SQLite may use; fresh is true when it was empty or missing.
func ensureFile(path string) (fresh bool, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return false, &Error{Op: "open", Path: path, Kind: ErrUnwritable, cause: err}
	}
	info, err := f.Stat()
	if err == nil && info.Mode().Perm() != 0o600 {
		err = f.Chmod(0o600)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return false, &Error{Op: "open", Path: path, Kind: ErrUnwritable, cause: err}
	}
	if info.Size() == 0 {
		return true, nil
	}
	return false, checkHeader(path)
}

// magic begins every SQLite file.
const magic = "SQLite format 3\x00"

func checkHeader(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return &Error{Op: "open", Path: path, Kind: ErrUnreadable, cause: err}
	}
	defer f.Close()
	head := make([]byte, len(magic))
	_, err = io.ReadFull(f, head)
	switch {
	case err == nil && string(head) == magic:
		return nil
	case err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{Op: "open", Path: path, Kind: ErrNotDatabase}
	}
	return &Error{Op: "open", Path: path, Kind: ErrUnreadable, cause: err}
}

func fileURL(path string, query url.Values) string {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: query.Encode(), OmitHost: true}
	if !filepath.IsAbs(path) {
		u.Path, u.Opaque = "", (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()
	}
	return u.String()
}

func writerDSN(path string, opts Options) string {
	sync := "NORMAL"
	if opts.Strict {
		sync = "FULL"
	}
	return fileURL(path, url.Values{
		"mode":          {"rwc"},
		"_journal_mode": {"WAL"},
		"_auto_vacuum":  {"INCREMENTAL"},
		"_busy_timeout": {"5000"},
		"_foreign_keys": {"1"},
		"_txlock":       {"immediate"},
		"_synchronous":  {sync},
		"_cache_size":   {"-4096"},
	})
}

func readerDSN(path string) string {
	return fileURL(path, url.Values{
		"mode":          {"ro"},
		"_query_only":   {"1"},
		"_busy_timeout": {"5000"},
		"_txlock":       {"deferred"},
	})
}

// writerPragmas are those that go-sqlite3's DSN has no word for. The log is cut
// back after a burst, so that it does not keep its largest size for ever. What is
// deleted from a page that stays is overwritten, which costs next to nothing: the page is
// written anyway. (Whole pages go with the end of the file, when it is shrunk.)
var writerPragmas = []string{"PRAGMA journal_size_limit = 16777216", "PRAGMA secure_delete = FAST"}

// connector opens connections without registering a driver by name, which would
// be global state.
type connector struct {
	dsn     string
	pragmas []string
}

// Connect implements driver.Connector.
func (c connector) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.Driver().Open(c.dsn)
	if err != nil {
		return nil, err
	}
	for _, p := range c.pragmas {
		if _, err := conn.(*sqlite3.SQLiteConn).Exec(p, nil); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", p, err), conn.Close())
		}
	}
	return conn, nil
}

// Driver implements driver.Connector.
func (c connector) Driver() driver.Driver { return &sqlite3.SQLiteDriver{} }
