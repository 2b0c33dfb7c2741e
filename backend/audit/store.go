package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"mlxbar/backend/storage"
)

// Limits of a page.
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// Store reads the records and clears old ones away. It is safe for concurrent use.
type Store struct {
	db *storage.DB
}

// NewStore makes a store on db, which may be open read-only.
func NewStore(db *storage.DB) *Store { return &Store{db: db} }

// Page is one part of a query's answer, newest first.
type Page struct {
	Records []Record `json:"records" nullable:"false"`
	Next    string   `json:"next"` // the cursor of the following page; "" on the last
}

// Query returns up to limit records that f matches, newest first, after the ones
// that cursor has seen; "" starts at the newest. A cursor that is none is ErrCursor.
// Records that begin while someone pages appear before the first page, so that
// paging sees each older record once.
func (s *Store) Query(ctx context.Context, f Filter, cursor string, limit int) (Page, error) {
	before, err := parseCursor(cursor)
	if err != nil {
		return Page{}, err
	}
	if limit < 1 || limit > MaxLimit {
		return Page{}, fmt.Errorf("limit %d is not within 1 to %d", limit, MaxLimit)
	}
	w, err := s.planned(ctx, f)
	if err != nil {
		return Page{}, fmt.Errorf("query records: %w", err)
	}
	w.and("id < ?", before)
	// One more than asked for tells whether there is a next page.
	records, err := s.selectRecords(ctx, w, "ORDER BY id DESC LIMIT ?", limit+1)
	if err != nil {
		return Page{}, fmt.Errorf("query records: %w", err)
	}
	if records == nil {
		records = []Record{} // an empty list in JSON, not null
	}
	page := Page{Records: records}
	if len(records) > limit {
		page.Records = records[:limit]
		page.Next = formatCursor(records[limit-1].ID)
	}
	return page, nil
}

// eachPage is how many records Each holds at a time.
const eachPage = 500

// Each calls fn for every record that f matches, oldest first, up to the newest
// at the time of the call. It holds one page at a time and no transaction while
// fn runs, so that a slow fn neither fills memory nor keeps the database from
// folding its log.
func (s *Store) Each(ctx context.Context, f Filter, fn func(Record) error) error {
	var last int64
	if err := s.db.Readers.QueryRowContext(ctx, `SELECT coalesce(max(id), 0) FROM requests`).Scan(&last); err != nil {
		return fmt.Errorf("read records: %w", err)
	}
	for after := int64(0); ; {
		w := where(f)
		w.and("id > ? AND id <= ?", after, last)
		records, err := s.selectRecords(ctx, w, "ORDER BY id LIMIT ?", eachPage)
		if err != nil {
			return fmt.Errorf("read records: %w", err)
		}
		for i := range records {
			if err := fn(records[i]); err != nil {
				return err
			}
		}
		if len(records) < eachPage {
			return nil
		}
		after = records[len(records)-1].ID
	}
}

func (s *Store) selectRecords(ctx context.Context, w *clause, tail string, limit int) ([]Record, error) {
	query := "SELECT " + columnList + " FROM " + w.from() + w.sql() + " " + tail
	rows, err := s.db.Readers.QueryContext(ctx, query, append(w.args, limit)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var records []Record
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, rows.Err()
}

// Stats sums up the records that f matches, as of one moment. Percentiles are
// nearest-rank over the durations that are known.
func (s *Store) Stats(ctx context.Context, f Filter) (Stats, error) {
	tx, err := s.db.Readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return Stats{}, fmt.Errorf("stats: %w", err)
	}
	defer tx.Rollback()
	w := where(f)
	var st Stats
	var timed int64
	err = tx.QueryRowContext(ctx, `SELECT count(*),
		count(*) FILTER (WHERE status = 'success'),
		count(*) FILTER (WHERE status NOT IN ('success', 'running')),
		count(*) FILTER (WHERE status = 'running'),
		count(DISTINCT nullif(model, '')),
		count(*) FILTER (WHERE backend = 'LOCAL'),
		coalesce(sum(total_tokens), 0),
		count(duration_ms)
		FROM requests`+w.sql(), w.args...).Scan(
		&st.Total, &st.Successful, &st.Errors, &st.Running, &st.UniqueModels, &st.Local, &st.TotalTokens, &timed)
	if err != nil {
		return Stats{}, fmt.Errorf("stats: %w", err)
	}
	if timed == 0 {
		return st, nil
	}
	if st.P50MS, err = percentile(ctx, tx, f, timed, 50); err != nil {
		return Stats{}, fmt.Errorf("stats: %w", err)
	}
	if st.P95MS, err = percentile(ctx, tx, f, timed, 95); err != nil {
		return Stats{}, fmt.Errorf("stats: %w", err)
	}
	return st, nil
}

// percentile finds the p-th percentile of n durations. It counts from the slow
// end: SQLite then keeps no more than the rows above the answer.
func percentile(ctx context.Context, tx *sql.Tx, f Filter, n, p int64) (*float64, error) {
	rank := (n*p + 99) / 100
	w := where(f)
	w.and("duration_ms IS NOT NULL")
	var v float64
	err := tx.QueryRowContext(ctx, "SELECT duration_ms FROM requests"+w.sql()+
		" ORDER BY duration_ms DESC LIMIT 1 OFFSET ?", append(w.args, n-rank)...).Scan(&v)
	return &v, err
}

// maxModels bounds the list of models, whose names clients choose.
const maxModels = 1000

// Models lists the models that were asked for, in order. It jumps from name to
// name in the index instead of reading every row.
func (s *Store) Models(ctx context.Context) ([]string, error) {
	rows, err := s.db.Readers.QueryContext(ctx, `WITH RECURSIVE names (model) AS (
		SELECT min(model) FROM requests WHERE model > ''
		UNION ALL
		SELECT (SELECT min(model) FROM requests WHERE model > names.model) FROM names WHERE names.model IS NOT NULL)
		SELECT model FROM names WHERE model IS NOT NULL LIMIT ?`, maxModels)
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
	if s.db.Writer == nil {
		return 0, ErrReadOnly
	}
	res, err := s.db.Writer.ExecContext(ctx, `UPDATE requests SET status = 'interrupted' WHERE status = 'running'`)
	if err != nil {
		return 0, fmt.Errorf("mark interrupted records: %w", err)
	}
	return res.RowsAffected()
}

func millis(t time.Time) int64 { return t.UnixMilli() }
