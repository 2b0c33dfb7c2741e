// Package archive keeps results of mlx-benchmark in the database. Of prompts and answers a
// results file holds no word, so neither does the archive.
package archive

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"mlxbar/backend/bench/machine"
	"mlxbar/backend/bench/results"
	"mlxbar/backend/storage"
)

// MaxFile is the largest results file that is kept.
const MaxFile = 64 << 20

// MaxRuns is how many runs List gives at most.
const MaxRuns = 1000

// What may be wrong with an id.
var (
	ErrNotFound         = errors.New("no benchmark of this id is kept")
	ErrNothingToRestore = errors.New("the benchmark cannot be had back any more, or was not deleted")
	ErrLostPlace        = errors.New("the benchmark to go on from is no longer kept")
)

// Run is one kept results file, without its samples.
type Run struct {
	ID    int64  `json:"id"`
	Label string `json:"label" doc:"What a person calls it; may be empty."`
	Summary
}

// Summary is what a list tells of a results file.
type Summary struct {
	Command   string                `json:"command" enum:"run,suite"`
	StartedAt time.Time             `json:"started_at"`
	EndedAt   time.Time             `json:"ended_at"`
	Complete  bool                  `json:"complete" doc:"Every case had its turn."`
	BrokenOff string                `json:"broken_off,omitempty" doc:"Why it is not complete."`
	Tool      string                `json:"tool" doc:"The version of mlx-benchmark."`
	Server    Server                `json:"server"`
	Machine   machine.Machine       `json:"machine"`
	Settings  results.Settings      `json:"settings"`
	Warnings  []string              `json:"warnings" nullable:"false" doc:"What disturbed the measurement."`
	Cases     []results.CaseSummary `json:"cases" nullable:"false"`
}

// Server is what was measured.
type Server struct {
	URL     string `json:"url"`
	Version string `json:"version,omitempty"`
}

func summaryOf(f *results.File) Summary {
	s := Summary{Command: f.Command, StartedAt: f.StartedAt, EndedAt: f.EndedAt, Complete: f.Complete, BrokenOff: f.BrokenOff, Tool: f.Tool,
		Server: Server{f.Server.URL, f.Server.Version}, Machine: f.Machine, Settings: f.Settings,
		Warnings: append([]string{}, f.Warnings...), Cases: make([]results.CaseSummary, 0, len(f.Cases))}
	for _, c := range f.Cases {
		c.CaseSummary.Errors = append([]results.Error{}, c.CaseSummary.Errors...)
		s.Cases = append(s.Cases, c.CaseSummary)
	}
	return s
}

// Archive is safe for concurrent use.
type Archive struct {
	adding sync.Mutex // a large file takes many times its size while it is read: one at a time
	db     *storage.DB
	wake   chan struct{} // a token: something was deleted
}

// New makes an archive in db.
func New(db *storage.DB) *Archive { return &Archive{db: db, wake: make(chan struct{}, 1)} }

// Add keeps a results file. When the same was kept before, it gives that one's id, and has
// it back if it was deleted; that one's label is set only where it has none. What is wrong with raw is a *results.Fault.
func (a *Archive) Add(ctx context.Context, raw []byte, label string) (id int64, added bool, err error) {
	a.adding.Lock()
	defer a.adding.Unlock()
	f, err := results.Parse(raw)
	if err != nil {
		return 0, false, err
	}
	summary, err := json.Marshal(summaryOf(f))
	if err != nil {
		return 0, false, fmt.Errorf("keep a benchmark: %w", err)
	}
	packed, hash, err := pack(raw)
	if err != nil {
		return 0, false, fmt.Errorf("keep a benchmark: %w", err)
	}
	err = a.write(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, "UPDATE benchmarks SET deleted_at = NULL, label = iif(label = '', ?, label) WHERE hash = ? RETURNING id", label, hash).Scan(&id)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		added = true
		return tx.QueryRowContext(ctx, `INSERT INTO benchmarks (started_at, command, label, summary, file, hash) VALUES (?, ?, ?, ?, ?, ?) RETURNING id`,
			f.StartedAt.UnixMilli(), f.Command, label, string(summary), packed, hash).Scan(&id)
	})
	if err != nil {
		return 0, false, fmt.Errorf("keep a benchmark: %w", err)
	}
	return id, added, nil
}

// pack compresses raw. The hash does not see how the JSON is laid out: the file that was
// written and the one that was sent are the same.
func pack(raw []byte) (packed, hash []byte, err error) {
	var compact, out bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return nil, nil, err
	}
	sum := sha256.Sum256(compact.Bytes())
	w := gzip.NewWriter(&out)
	_, err = w.Write(raw)
	err = errors.Join(err, w.Close()) // it writes the end
	return out.Bytes(), sum[:], err
}

// List gives the newest runs; from the run before on, when it is not 0.
func (a *Archive) List(ctx context.Context, limit int, before int64) ([]Run, error) {
	query, args := "SELECT id, label, summary FROM benchmarks WHERE deleted_at IS NULL", []any{}
	if before != 0 {
		var at int64
		switch err := a.db.Readers.QueryRowContext(ctx, "SELECT started_at FROM benchmarks WHERE id = ?", before).Scan(&at); {
		case errors.Is(err, sql.ErrNoRows):
			return nil, ErrLostPlace
		case err != nil:
			return nil, fmt.Errorf("list benchmarks: %w", err)
		}
		query, args = query+" AND (started_at, id) < (?, ?)", append(args, at, before)
	}
	rows, err := a.db.Readers.QueryContext(ctx, query+" ORDER BY started_at DESC, id DESC LIMIT ?", append(args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("list benchmarks: %w", err)
	}
	defer rows.Close()
	runs := []Run{}
	for rows.Next() {
		var r Run
		var summary string
		if err := rows.Scan(&r.ID, &r.Label, &summary); err != nil {
			return nil, fmt.Errorf("list benchmarks: %w", err)
		}
		if err := json.Unmarshal([]byte(summary), &r.Summary); err != nil {
			return nil, fmt.Errorf("list benchmarks: run %d: %w", r.ID, err)
		}
		runs = append(runs, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list benchmarks: %w", err)
	}
	return runs, nil
}

// Get gives the results file of a run, byte for byte as it was added.
func (a *Archive) Get(ctx context.Context, id int64) ([]byte, error) {
	var packed []byte
	err := a.db.Readers.QueryRowContext(ctx, "SELECT file FROM benchmarks WHERE id = ? AND deleted_at IS NULL", id).Scan(&packed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read a benchmark: %w", err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("read benchmark %d: %w", id, err)
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read benchmark %d: %w", id, err)
	}
	return raw, nil
}

// Rename gives a run another label.
func (a *Archive) Rename(ctx context.Context, id int64, label string) error {
	return a.change(ctx, ErrNotFound, "UPDATE benchmarks SET label = ? WHERE id = ? AND deleted_at IS NULL", label, id)
}

// change runs an update of one row; none is the error.
func (a *Archive) change(ctx context.Context, none error, query string, args ...any) error {
	return a.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return fmt.Errorf("change a benchmark: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(none, err)
		}
		return nil
	})
}

// write runs do in a transaction of the database's one writer.
func (a *Archive) write(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := a.db.Writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after the commit
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}
