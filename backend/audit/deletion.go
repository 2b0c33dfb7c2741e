package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"mlxbar/backend/storage"
)

// UndoTime is how long a deletion can be taken back.
const UndoTime = 10 * time.Second

// ErrNothingToRestore tells that no deletion can be taken back: there was none, or
// its time is over.
var ErrNothingToRestore = errors.New("no deletion can be taken back any more")

// Deletion is what DeleteAll did.
type Deletion struct {
	Deleted   int64     `json:"deleted" doc:"How many records went out of sight."`
	UndoUntil time.Time `json:"undo_until,omitzero" doc:"Until then they can be had back; then they go for good. Left out when nothing was deleted."`
}

// hidden says which records are out of sight: those up to upto, but for the spared.
type hidden struct {
	upto   int64
	spared []int64 // in order
}

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func readHidden(ctx context.Context, q querier) (hidden, error) {
	var h hidden
	if err := q.QueryRowContext(ctx, "SELECT deleted_upto FROM audit_state").Scan(&h.upto); err != nil || h.upto == 0 {
		return h, err
	}
	rows, err := q.QueryContext(ctx, "SELECT id FROM deletion_spared ORDER BY id")
	if err != nil {
		return h, err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return h, err
		}
		h.spared = append(h.spared, id)
	}
	return h, rows.Err()
}

// exclude leaves out of c what is out of sight. What is in sight lies close to the
// newest record, so a lower bound keeps every query short.
func (h hidden) exclude(c *clause) {
	if h.upto == 0 {
		return
	}
	if len(h.spared) == 0 {
		c.atLeast(h.upto + 1)
		return
	}
	c.atLeast(h.spared[0])
	c.and("(+id > ? OR +id IN (SELECT id FROM deletion_spared))", h.upto)
}

// DeleteAll takes all records out of every reader's sight, but for those of requests
// that still run, and for good after UndoTime. Run does the latter. A second deletion
// within that time takes the first one along: both can then be had back until the
// second one's time. One that finds nothing to delete changes nothing.
func (s *Store) DeleteAll(ctx context.Context, now time.Time) (Deletion, error) {
	until := now.UTC().Truncate(time.Millisecond).Add(UndoTime)
	var d Deletion
	err := s.write(ctx, func(tx *sql.Tx) error {
		st, err := stats(ctx, tx, Filter{})
		d.Deleted = st.Total - st.Running
		if err != nil || d.Deleted == 0 {
			return err
		}
		d.UndoUntil = until
		for _, step := range []struct {
			sql  string
			args []any
		}{
			{"DELETE FROM deletion_spared", nil},
			{"INSERT INTO deletion_spared SELECT id FROM requests WHERE status = 'running'", nil},
			{"UPDATE audit_state SET deleted_upto = max(deleted_upto, (SELECT coalesce(max(id), 0) FROM requests)), deleted_until = ?", []any{millis(until)}},
		} {
			if _, err := tx.ExecContext(ctx, step.sql, step.args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Deletion{}, fmt.Errorf("delete all records: %w", err)
	}
	s.wakeDeletion()
	return d, nil
}

// Undelete brings back what DeleteAll took out of sight, and tells how many records
// that were. It is ErrNothingToRestore when that is too late.
func (s *Store) Undelete(ctx context.Context, now time.Time) (int64, error) {
	var restored int64
	err := s.write(ctx, func(tx *sql.Tx) error {
		var upto, until int64
		if err := tx.QueryRowContext(ctx, "SELECT deleted_upto, deleted_until FROM audit_state").Scan(&upto, &until); err != nil {
			return err
		}
		if upto == 0 || millis(now) >= until {
			return ErrNothingToRestore
		}
		before, err := stats(ctx, tx, Filter{})
		if err != nil {
			return err
		}
		if err := forgetDeletion(ctx, tx, until); err != nil {
			return err
		}
		after, err := stats(ctx, tx, Filter{})
		restored = after.Total - before.Total
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("restore deleted records: %w", err)
	}
	s.wakeDeletion()
	return restored, nil
}

// forgetDeletion forgets the deletion that could be taken back until then, and no newer one.
func forgetDeletion(ctx context.Context, tx *sql.Tx, until int64) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM deletion_spared WHERE (SELECT deleted_until FROM audit_state) = ?", until)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "UPDATE audit_state SET deleted_upto = 0, deleted_until = 0 WHERE deleted_until = ?", until)
	return err
}

// FinishDeletion deletes for good what is out of sight and can no longer be had back.
// It returns when that is to be done, zero if there is nothing left to do.
func (s *Store) FinishDeletion(ctx context.Context, now time.Time) (due time.Time, err error) {
	if s.db.Writer == nil {
		return time.Time{}, ErrReadOnly
	}
	var upto, until int64
	if err := s.db.Writer.QueryRowContext(ctx, "SELECT deleted_upto, deleted_until FROM audit_state").Scan(&upto, &until); err != nil {
		return time.Time{}, fmt.Errorf("finish a deletion: %w", err)
	}
	if upto == 0 {
		return time.Time{}, nil
	}
	// A clock that was set back must not keep the records for longer.
	if due := time.UnixMilli(until); now.Before(due) && due.Sub(now) <= UndoTime {
		return due, nil
	}
	// Only what has left the file and its log as well is forgotten: until then it is tried again.
	for _, step := range []func() error{
		func() error { return s.write(ctx, func(tx *sql.Tx) error { return purge(ctx, tx, until) }) },
		func() error { return s.shrink(ctx) },
		func() error { return s.emptyLog(ctx) },
		func() error { return s.write(ctx, func(tx *sql.Tx) error { return forgetDeletion(ctx, tx, until) }) },
	} {
		if err := step(); err != nil {
			return time.Time{}, fmt.Errorf("finish a deletion: %w", err)
		}
	}
	return time.Time{}, nil
}

// emptyLog folds the write-ahead log into the file and cuts it to nothing: it holds old
// pages. It hardly waits for readers, for the records of requests would wait with it: it is tried again.
func (s *Store) emptyLog(ctx context.Context) (err error) {
	conn, err := s.db.Writer.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var patience, busy, pages, folded int
	if err := conn.QueryRowContext(ctx, "PRAGMA busy_timeout").Scan(&patience); err != nil {
		return err
	}
	if err := conn.QueryRowContext(ctx, "PRAGMA busy_timeout = 100").Scan(new(int)); err != nil {
		return err
	}
	defer func() {
		// Not with ctx: the connection is used on.
		err = errors.Join(err, conn.QueryRowContext(context.WithoutCancel(ctx), fmt.Sprintf("PRAGMA busy_timeout = %d", patience)).Scan(new(int)))
	}()
	if err := conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &folded); err != nil {
		return err
	}
	if busy != 0 {
		return errors.New("the database's log is in use by a reader")
	}
	return nil
}

// purge empties the table, which SQLite does without looking at each row, and puts
// back the few records that are in sight. It leaves alone what a newer deletion than the one
// until then has taken along: that can be had back for longer.
func purge(ctx context.Context, tx *sql.Tx, until int64) error {
	var now int64
	if err := tx.QueryRowContext(ctx, "SELECT deleted_until FROM audit_state").Scan(&now); err != nil || now != until {
		return err
	}
	h, err := readHidden(ctx, tx)
	if err != nil || h.upto == 0 {
		return err
	}
	if err := keepLastID(ctx, tx); err != nil {
		return err
	}
	w := &clause{}
	h.exclude(w)
	for _, step := range []struct {
		sql  string
		args []any
	}{
		{"CREATE TEMP TABLE kept AS SELECT " + columnList + " FROM requests" + w.sql(), w.values()},
		{"DELETE FROM requests", nil},
		{"INSERT INTO requests (" + columnList + ") SELECT " + columnList + " FROM temp.kept", nil},
		{"DROP TABLE temp.kept", nil},
		{"DELETE FROM audit_sums", nil},
		{"DELETE FROM audit_tallies", nil},
		{"UPDATE audit_state SET summed_from = 0", nil},
	} {
		if _, err := tx.ExecContext(ctx, step.sql, step.args...); err != nil {
			return err
		}
	}
	_, err = change(ctx, tx, 1, "SELECT "+endedColumns+" FROM requests WHERE +status <> 'running'")
	return err
}

// keepLastID notes the highest id before its record may be deleted, so that it is not given again.
func keepLastID(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `UPDATE audit_state SET last_id = (SELECT max(id) FROM requests)
		WHERE last_id < (SELECT max(id) FROM requests)`)
	return err
}

// RunDeletions finishes deletions when their time has come, those of an earlier run
// as well, until ctx ends.
func (s *Store) RunDeletions(ctx context.Context, log *slog.Logger) {
	storage.WhenDue(ctx, s.deletion, s.FinishDeletion, func(err error) {
		log.Error("deleted records could not be cleared away; trying again", "cause", err)
	})
}

// wakeDeletion has RunDeletions look again.
func (s *Store) wakeDeletion() { signal(s.deletion) }

// write runs do in a transaction of the writer.
func (s *Store) write(ctx context.Context, do func(*sql.Tx) error) error {
	if s.db.Writer == nil {
		return ErrReadOnly
	}
	tx, err := s.db.Writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after the commit
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}
