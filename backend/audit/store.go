package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"mlxbar/backend/storage"
)

// Store reads the records and clears old ones away. It is safe for concurrent use.
type Store struct {
	db       *storage.DB
	deletion chan struct{} // a token: there is a deletion, or no longer one
	limits   limits
}

// NewStore makes a store on db, which may be open read-only.
func NewStore(db *storage.DB) *Store {
	return &Store{db: db, deletion: make(chan struct{}, 1), limits: usualLimits}
}

// eachPage is how many records Each reads at a time.
const eachPage = 1000

// Each calls fn for every record that f matches, oldest first, up to the newest
// at the time of the call. It reads one page ahead and holds no transaction while
// fn runs, so that a slow fn neither fills memory nor keeps the database from
// folding its log.
func (s *Store) Each(ctx context.Context, f Filter, fn func(Record) error) error {
	var last int64
	if err := s.db.Readers.QueryRowContext(ctx, `SELECT coalesce(max(id), 0) FROM requests`).Scan(&last); err != nil {
		return fmt.Errorf("read records: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	pages, ended := make(chan []Record), make(chan error, 1)
	go func() {
		defer close(pages)
		ended <- s.eachPage(ctx, f, last, pages)
	}()
	defer func() { // it is at no page of ours when this returns
		stop()
		for range pages {
		}
	}()
	for page := range pages {
		for i := range page {
			if err := fn(page[i]); err != nil {
				return err
			}
		}
	}
	if err := <-ended; err != nil {
		return fmt.Errorf("read records: %w", err)
	}
	return nil
}

// eachPage sends the pages up to the id last.
func (s *Store) eachPage(ctx context.Context, f Filter, last int64, pages chan<- []Record) error {
	for after := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := readHidden(ctx, s.db.Readers) // each time: a deletion ends what has not been read yet
		if err != nil {
			return err
		}
		w := where(f)
		h.exclude(w)
		w.atLeast(after + 1)
		w.atMost(last)
		records, err := s.selectRecords(ctx, w, "id", eachPage, 0)
		if err != nil || len(records) == 0 {
			return err
		}
		select {
		case pages <- records:
		case <-ctx.Done():
			return ctx.Err()
		}
		if len(records) < eachPage {
			return nil
		}
		after = records[len(records)-1].ID
	}
}

// maxModels bounds the list of models, whose names clients choose.
const maxModels = 1000

// Models lists the models that were asked for, in order. It jumps from name to
// name in the index instead of reading every row.
func (s *Store) Models(ctx context.Context) ([]string, error) {
	h, err := readHidden(ctx, s.db.Readers)
	if err != nil {
		return nil, fmt.Errorf("list models: %w", err)
	}
	if h.upto > 0 { // what is in sight is little
		return s.models(ctx, h)
	}
	rows, err := s.db.Readers.QueryContext(ctx, `WITH RECURSIVE names (model) AS (
		SELECT min(model) FROM requests WHERE model > ''
		UNION ALL
		SELECT (SELECT min(model) FROM requests WHERE model > names.model) FROM names WHERE names.model IS NOT NULL)
		SELECT model FROM names WHERE model IS NOT NULL LIMIT ?`, maxModels)
	return names(rows, err)
}

func (s *Store) models(ctx context.Context, h hidden) ([]string, error) {
	w := &clause{}
	w.and("+model > ''")
	h.exclude(w)
	return names(s.db.Readers.QueryContext(ctx, "SELECT DISTINCT model FROM requests"+w.sql()+" ORDER BY model LIMIT ?", append(w.values(), maxModels)...))
}

func names(rows *sql.Rows, err error) ([]string, error) {
	if err != nil {
		return nil, fmt.Errorf("list models: %w", err)
	}
	defer rows.Close()
	models := []string{}
	for rows.Next() {
		var m string
		if err := rows.Scan(&m); err != nil {
			return nil, fmt.Errorf("list models: %w", err)
		}
		models = append(models, m)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list models: %w", err)
	}
	return models, nil
}

// ErrReadOnly tells that the database was opened for reading only.
var ErrReadOnly = errors.New("the database is open read-only")

// MarkInterrupted ends the records that an earlier run of the server left
// running. Call it before the first Begin.
func (s *Store) MarkInterrupted(ctx context.Context) (int64, error) {
	var n int64
	err := s.write(ctx, func(tx *sql.Tx) (err error) {
		n, err = change(ctx, tx, 1, `UPDATE requests SET status = 'interrupted' WHERE status = 'running' RETURNING `+endedColumns)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("mark interrupted records: %w", err)
	}
	return n, nil
}

func millis(t time.Time) int64 { return t.UnixMilli() }
