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
}

// NewStore makes a store on db, which may be open read-only.
func NewStore(db *storage.DB) *Store { return &Store{db: db, deletion: make(chan struct{}, 1)} }

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
		h, err := readHidden(ctx, s.db.Readers) // each time: a deletion ends what an export has not read yet
		if err != nil {
			return fmt.Errorf("read records: %w", err)
		}
		w := where(f)
		h.exclude(w)
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

// Stats sums up the records that f matches, as of one moment. Percentiles are
// nearest-rank over the durations that are known.
func (s *Store) Stats(ctx context.Context, f Filter) (Stats, error) {
	tx, err := s.db.Readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return Stats{}, fmt.Errorf("stats: %w", err)
	}
	defer tx.Rollback()
	h, err := readHidden(ctx, tx)
	if err != nil {
		return Stats{}, fmt.Errorf("stats: %w", err)
	}
	w := where(f)
	h.exclude(w)
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
	if st.P50MS, err = percentile(ctx, tx, f, h, timed, 50); err != nil {
		return Stats{}, fmt.Errorf("stats: %w", err)
	}
	if st.P95MS, err = percentile(ctx, tx, f, h, timed, 95); err != nil {
		return Stats{}, fmt.Errorf("stats: %w", err)
	}
	return st, nil
}

// percentile finds the p-th percentile of n durations. It counts from the slow
// end: SQLite then keeps no more than the rows above the answer.
func percentile(ctx context.Context, tx *sql.Tx, f Filter, h hidden, n, p int64) (*float64, error) {
	rank := (n*p + 99) / 100
	w := where(f)
	h.exclude(w)
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
	return names(s.db.Readers.QueryContext(ctx, "SELECT DISTINCT model FROM requests"+w.sql()+" ORDER BY model LIMIT ?", append(w.args, maxModels)...))
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
