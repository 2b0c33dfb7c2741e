package storage

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-sqlite3"
	"github.com/pressly/goose/v3"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, path string, opts Options) *DB {
	t.Helper()
	db, err := Open(t.Context(), path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func pragma(t *testing.T, db *sql.DB, name string) string {
	t.Helper()
	var v string
	if err := db.QueryRow("PRAGMA " + name).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestOpenSetsEveryConnectionUp(t *testing.T) {
	for _, strict := range []bool{false, true} {
		// A name as macOS has it, and one that a URL would take apart.
		dir := filepath.Join(t.TempDir(), "Application Support", "a?b#c%20d&mode=memory ü")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "mlxbar.db")
		db := open(t, path, Options{Strict: strict})
		sync := map[bool]string{false: "1", true: "2"}[strict]
		for name, want := range map[string]string{
			"journal_mode": "wal", "auto_vacuum": "2", "synchronous": sync, "foreign_keys": "1",
			"busy_timeout": "5000", "query_only": "0", "journal_size_limit": "16777216", "secure_delete": "2",
		} {
			if got := pragma(t, db.Writer, name); got != want {
				t.Errorf("writer's %s = %s, want %s", name, got, want)
			}
		}
		if got := pragma(t, db.Readers, "query_only"); got != "1" {
			t.Errorf("readers' query_only = %s", got)
		}
		if _, err := db.Readers.Exec("DELETE FROM requests"); err == nil {
			t.Error("a reader could write")
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, want 0600", info.Mode().Perm())
		}
	}
}

func TestOpenTakesARelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	db := open(t, "m #1.db", Options{})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("m #1.db"); err != nil {
		t.Error(err)
	}
	ro, err := OpenReadOnly(t.Context(), "m #1.db")
	if err != nil {
		t.Fatal(err)
	}
	ro.Close()
}

func TestOpenClosesTheFileToOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mlxbar.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	open(t, path, Options{})
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v (%v), want 0600", info.Mode(), err)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(t *testing.T, path string)
		want error
		text string
	}{
		{"newer layout", func(t *testing.T, path string) {
			db := open(t, path, Options{})
			if _, err := db.Writer.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)"); err != nil {
				t.Fatal(err)
			}
			db.Close()
		}, ErrNewer, "layout 9999"},
		{"text", func(t *testing.T, path string) { write(t, path, strings.Repeat("hello ", 1000)) }, ErrNotDatabase, "move the file away"},
		{"few bytes", func(t *testing.T, path string) { write(t, path, "x") }, ErrNotDatabase, "mlxbar.db"},
		{"damaged behind its header", func(t *testing.T, path string) {
			write(t, path, magic+strings.Repeat("\xff", 8192))
		}, ErrNotDatabase, "mlxbar.db"},
		{"someone else's", func(t *testing.T, path string) {
			db := sql.OpenDB(connector{dsn: "file:" + path})
			defer db.Close()
			if _, err := db.Exec("CREATE TABLE theirs (x)"); err != nil {
				t.Fatal(err)
			}
		}, ErrNotDatabase, "mlxbar.db"},
		{"a folder", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, ErrUnwritable, "check that the folder"},
		{"no folder", func(t *testing.T, path string) {
			if err := os.Remove(filepath.Dir(path)); err != nil {
				t.Fatal(err)
			}
		}, ErrUnwritable, "check that the folder"},
		{"a file for a folder", func(t *testing.T, path string) {
			if err := os.Remove(filepath.Dir(path)); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Dir(path), "")
		}, ErrUnwritable, "check that the folder"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "data", "mlxbar.db")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			c.make(t, path)
			db, err := Open(t.Context(), path, Options{})
			if err == nil {
				db.Close()
			}
			var e *Error
			if !errors.Is(err, c.want) || !errors.As(err, &e) {
				t.Fatalf("got %v, want an *Error of %v", err, c.want)
			}
			if !strings.Contains(err.Error(), c.text) {
				t.Errorf("%q does not say %q", err, c.text)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOpenTellsADamagedDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mlxbar.db")
	db := open(t, path, Options{})
	db.Close()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 100; i < len(raw); i++ { // all but the header
		raw[i] = 0xff
	}
	write(t, path, string(raw))
	if _, err := Open(t.Context(), path, Options{}); !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v, want %v", err, ErrDamaged)
	}
}

func TestTranslateKeepsTheCause(t *testing.T) {
	cause := sqlite3.Error{Code: sqlite3.ErrFull}
	err := translate("write", "/data/mlxbar.db", cause)
	if !errors.Is(err, ErrUnwritable) || !errors.Is(err, cause) {
		t.Errorf("%v has lost its kind or cause", err)
	}
	if again := translate("open", "/elsewhere", err); again != err {
		t.Errorf("translated twice: %v", again)
	}
}

// schema is every table and index as SQLite has it.
func schema(t *testing.T, db *sql.DB) map[string]string {
	t.Helper()
	rows, err := db.Query("SELECT type || ' ' || name, coalesce(sql, '') FROM sqlite_master")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := map[string]string{}
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			t.Fatal(err)
		}
		all[name] = text
	}
	return all
}

func TestMigratedEqualsFresh(t *testing.T) {
	fresh := open(t, filepath.Join(t.TempDir(), "fresh.db"), Options{})
	want := schema(t, fresh.Readers)
	for from := int64(0); from <= newest(); from++ {
		path := filepath.Join(t.TempDir(), "old.db")
		old := sql.OpenDB(connector{dsn: writerDSN(path, Options{})})
		if from == 0 { // made, and broken off before the first migration
			p, err := goose.NewProvider(goose.DialectSQLite3, old, migrations())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.GetDBVersion(t.Context()); err != nil {
				t.Fatal(err)
			}
		} else if err := migrateTo(t.Context(), old, from); err != nil {
			t.Fatal(err)
		}
		old.Close()
		db := open(t, path, Options{})
		if diff := cmp.Diff(want, schema(t, db.Readers)); diff != "" {
			t.Errorf("migrated from %d (-fresh +migrated):\n%s", from, diff)
		}
		if v, err := version(t.Context(), db.Readers); err != nil || v != newest() {
			t.Errorf("migrated from %d to %d (%v), want %d", from, v, err, newest())
		}
	}
}

// What was recorded before there were sums over it is to be summed up from its last block
// down; in a database without records there is nothing to do.
func TestOlderRecordsAreYetToBeSummed(t *testing.T) {
	for newest, want := range map[int]int{0: 0, 1: 1, 8191: 1, 8192: 2, 20_000: 3} {
		path := filepath.Join(t.TempDir(), "old.db")
		old := sql.OpenDB(connector{dsn: writerDSN(path, Options{})})
		if err := migrateTo(t.Context(), old, 1); err != nil {
			t.Fatal(err)
		}
		_, err := old.Exec(`INSERT INTO requests (id, started_at, status, backend, stream, attempts, model, served_model, provider, endpoint, error_type, request_id, client, key_id)
			SELECT ?1, 0, 'success', 'LOCAL', 0, 1, 'm', 'm', 'p', '/', '', 'r', 'c', '' WHERE ?1 > 0`, newest)
		if err := errors.Join(err, old.Close()); err != nil {
			t.Fatal(err)
		}
		db := open(t, path, Options{})
		var got int
		if err := db.Readers.QueryRow("SELECT summed_from FROM audit_state").Scan(&got); err != nil || got != want {
			t.Errorf("with %d records the sums begin at block %d, want %d (%v)", newest, got, want, err)
		}
	}
}

// Tallies of before tell how many requests had left to another provider already.
func TestOlderTalliesLearnWhatLeftTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "old.db")
	old := sql.OpenDB(connector{dsn: writerDSN(path, Options{})})
	if err := migrateTo(t.Context(), old, 9); err != nil {
		t.Fatal(err)
	}
	for id, left := range map[int]string{1: `[{"provider":"a"},{"provider":"b"}]`, 2: `[{"provider":"a"}]`, 3: "", 4: `[{"provider":"b"},{"provider":"a"},{"provider":"c"}]`} {
		if _, err := old.Exec(`INSERT INTO requests (id, started_at, status, backend, stream, attempts, model, served_model, provider, endpoint, error_type, request_id, client, key_id, left_to)
			VALUES (?, 900000, 'success', 'OPENAI', 0, 1, 'm', 'm', 'b', '/', '', 'r', 'c', '', ?)`, id, left); err != nil {
			t.Fatal(err)
		}
	}
	for _, provider := range []string{"a", "b", "c"} {
		if _, err := old.Exec("INSERT INTO audit_tallies VALUES (0, 1, ?, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0)", provider); err != nil {
			t.Fatal(err)
		}
	}
	old.Close()
	db := open(t, path, Options{})
	var got string
	if err := db.Readers.QueryRow("SELECT group_concat(provider || repeated, ' ') FROM (SELECT * FROM audit_tallies ORDER BY provider)").Scan(&got); err != nil || got != "a1 b1 c1" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestMigrationsCanBeTakenBack(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "m.db"), Options{})
	p, err := goose.NewProvider(goose.DialectSQLite3, db.Writer, migrations())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.DownTo(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	for name := range schema(t, db.Readers) {
		if !strings.Contains(name, "goose") && !strings.Contains(name, "sqlite") {
			t.Errorf("%s is left over", name)
		}
	}
}

func TestOpenReadOnly(t *testing.T) {
	insert := `INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1)`
	count := func(t *testing.T, path string) (n int) {
		t.Helper()
		ro, err := OpenReadOnly(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		defer ro.Close()
		if ro.Writer != nil {
			t.Error("a read-only database has a writer")
		}
		if err := ro.Readers.QueryRow("SELECT count(*) FROM goose_db_version").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	path := filepath.Join(t.TempDir(), "mlxbar.db")
	db := open(t, path, Options{})
	before := count(t, path)
	if _, err := db.Writer.Exec(insert); err != nil {
		t.Fatal(err)
	}
	if got := count(t, path); got != before+1 { // it stands in the log only
		t.Errorf("with the server running: %d rows, want %d", got, before+1)
	}
	if _, err := db.Writer.Exec(insert); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if got := count(t, path); got != before+2 {
		t.Errorf("with the server stopped: %d rows, want %d", got, before+2)
	}
	again := open(t, path, Options{}) // reading has left nothing in a writer's way
	if _, err := again.Writer.Exec(insert); err != nil {
		t.Error(err)
	}
}

func TestOpenReadOnlySaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenReadOnly(t.Context(), filepath.Join(dir, "none.db")); !errors.Is(err, ErrUnreadable) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "none.db")); err == nil {
		t.Error("it was made")
	}
	write(t, filepath.Join(dir, "text.db"), "this is a text, not a database")
	if _, err := OpenReadOnly(t.Context(), filepath.Join(dir, "text.db")); !errors.Is(err, ErrNotDatabase) {
		t.Errorf("text: %v", err)
	}
	for name, c := range map[string]struct {
		change string
		want   error
	}{
		"newer": {"INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)", ErrNewer},
		"older": {"DELETE FROM goose_db_version WHERE version_id > 0", ErrOlder},
	} {
		path := filepath.Join(dir, name+".db")
		db := open(t, path, Options{})
		if _, err := db.Writer.Exec(c.change); err != nil {
			t.Fatal(err)
		}
		db.Close()
		if _, err := OpenReadOnly(context.Background(), path); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// BenchmarkOpen is part of the time until the server is ready.
func BenchmarkOpen(b *testing.B) {
	for _, name := range []string{"fresh", "existing"} {
		b.Run(name, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "mlxbar.db")
			for b.Loop() {
				db, err := Open(b.Context(), path, Options{})
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				db.Close()
				if name == "fresh" {
					os.Remove(path)
				}
				b.StartTimer()
			}
		})
	}
}
