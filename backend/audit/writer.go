package audit

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"github.com/mattn/go-sqlite3"
)

// writer puts batches into the database. It speaks to the driver itself, for
// database/sql costs about as much per row as SQLite does.
type writer struct {
	db   *sql.DB
	conn *sqlite3.SQLiteConn // the connection that the statements belong to

	insert, update, remove  driver.StmtExecContext
	begin, commit, rollback driver.StmtExecContext
	spare, saveSum, dropSum driver.StmtExecContext
	addTally                driver.StmtExecContext
	state, loadSum          driver.StmtQueryContext
	prepared                []driver.Stmt
	strict                  bool // what the connection is set to

	starts map[int64]int // of the batch at hand: id to its place
	sums   sums          // what the batch at hand adds to them
	upto   int64         // records up to this id have been deleted
	args   []driver.NamedValue
}

// write puts all events into one transaction. It may be called again with the
// same events after an error: all that it does can be done twice.
func (w *writer) write(events []event, strict bool) error {
	// Not bound by a context: go-sqlite3 would start a goroutine per row, and what
	// is queued is written even while the server ends.
	ctx := context.Background()
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("write records: %w", err)
	}
	defer conn.Close()
	err = conn.Raw(func(c any) error {
		if err := w.use(c.(*sqlite3.SQLiteConn), strict); err != nil {
			return w.discard(err)
		}
		if err := w.transact(ctx, events); err != nil {
			return w.discard(err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write records: %w", err)
	}
	return nil
}

func (w *writer) transact(ctx context.Context, events []event) error {
	w.merge(events)
	if _, err := w.begin.ExecContext(ctx, nil); err != nil {
		return err
	}
	if err := w.applyAll(ctx, events); err != nil {
		return w.undo(ctx, err)
	}
	if _, err := w.commit.ExecContext(ctx, nil); err != nil {
		return w.undo(ctx, err)
	}
	return nil
}

// undo rolls back after err. SQLite itself rolls back on some errors, and then
// has nothing left to undo; what matters is the first error.
func (w *writer) undo(ctx context.Context, err error) error {
	if w.conn.AutoCommit() {
		return err
	}
	if _, rollbackErr := w.rollback.ExecContext(ctx, nil); rollbackErr != nil {
		return errors.Join(err, rollbackErr)
	}
	return err
}

// merge folds a start and the end that follows in the same batch into one event.
func (w *writer) merge(events []event) {
	if w.starts == nil {
		w.starts = make(map[int64]int, len(events))
	}
	clear(w.starts)
	for i := range events {
		e := &events[i]
		at, begun := w.starts[e.row.id]
		switch {
		case e.kind == start:
			w.starts[e.row.id] = i
		case !begun || e.kind == dead:
		case e.kind == end:
			events[at].row, e.kind = e.row, dead
		case e.kind == withdrawal:
			events[at].kind, e.kind = dead, dead
		}
	}
}

func (w *writer) applyAll(ctx context.Context, events []event) error {
	state, _, err := query(ctx, w.state, nil, 2)
	if err != nil {
		return err
	}
	w.upto = state[0].(int64)
	w.sums = newSums()
	for i := range events {
		if err := w.apply(ctx, &events[i]); err != nil {
			return err
		}
	}
	return w.sums.apply(driverSums{ctx, w}, state[1].(int64))
}

func (w *writer) apply(ctx context.Context, e *event) error {
	switch e.kind {
	case start:
		return w.put(ctx, &e.row)
	case end:
		e.row.values(w.args)
		id := w.args[0].Value
		for i := range w.args[fixed:] { // the update's parameters: the rest, then the id
			w.args[i].Value = w.args[i+fixed].Value
		}
		tail := len(columns) - fixed
		w.args[tail].Value = id
		n, err := exec(ctx, w.update, w.args[:tail+1])
		if err != nil {
			return err
		}
		if n == 0 { // somebody has deleted the start: the record is whole without it
			return w.put(ctx, &e.row)
		}
		w.sums.count(e.row.ended(), 1)
	case withdrawal:
		w.args[0].Value = e.row.id
		_, err := exec(ctx, w.remove, w.args[:1])
		return err
	}
	return nil
}

// put inserts r, unless it is there already, as when a batch is written again of which
// only the answer was lost.
func (w *writer) put(ctx context.Context, r *row) error {
	r.values(w.args)
	n, err := exec(ctx, w.insert, w.args)
	if err != nil || n == 0 {
		return err
	}
	if r.status != Running {
		w.sums.count(r.ended(), 1)
	}
	if r.id <= w.upto { // it ran when all others were deleted
		_, err = exec(ctx, w.spare, w.args[:1])
	}
	return err
}

// exec returns how many rows s changed.
func exec(ctx context.Context, s driver.StmtExecContext, args []driver.NamedValue) (int64, error) {
	res, err := s.ExecContext(ctx, args)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// query returns the first row of s.
func query(ctx context.Context, s driver.StmtQueryContext, args []driver.NamedValue, columns int) (values []driver.Value, found bool, err error) {
	rows, err := s.QueryContext(ctx, args)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	values = make([]driver.Value, columns)
	switch err := rows.Next(values); {
	case errors.Is(err, io.EOF):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	}
	return values, true, nil
}

// use prepares the statements when c is a new connection.
func (w *writer) use(c *sqlite3.SQLiteConn, strict bool) error {
	if w.conn != c {
		w.release()
		w.conn = c
		for _, s := range []struct {
			sql string
			to  *driver.StmtExecContext
		}{
			{insertSQL, &w.insert}, {updateSQL, &w.update}, {deleteSQL, &w.remove},
			{"INSERT OR IGNORE INTO deletion_spared (id) VALUES (?)", &w.spare},
			{saveSumSQL, &w.saveSum}, {removeSumSQL, &w.dropSum}, {addTallySQL, &w.addTally},
			{"BEGIN IMMEDIATE", &w.begin}, {"COMMIT", &w.commit}, {"ROLLBACK", &w.rollback},
		} {
			stmt, err := c.Prepare(s.sql)
			if err != nil {
				w.release()
				return err
			}
			w.prepared = append(w.prepared, stmt)
			*s.to = stmt.(driver.StmtExecContext)
		}
		for _, s := range []struct {
			sql string
			to  *driver.StmtQueryContext
		}{
			{"SELECT deleted_upto, summed_from FROM audit_state", &w.state}, {loadSumSQL, &w.loadSum},
		} {
			stmt, err := c.Prepare(s.sql)
			if err != nil {
				w.release()
				return err
			}
			w.prepared = append(w.prepared, stmt)
			*s.to = stmt.(driver.StmtQueryContext)
		}
		w.args = make([]driver.NamedValue, len(columns))
		for i := range w.args {
			w.args[i].Ordinal = i + 1
		}
		return w.synchronise(strict)
	}
	if strict != w.strict {
		return w.synchronise(strict)
	}
	return nil
}

// synchronise sets whether a commit waits for the disk.
func (w *writer) synchronise(strict bool) error {
	level := "NORMAL"
	if strict {
		level = "FULL"
	}
	if _, err := w.conn.Exec("PRAGMA synchronous = "+level, nil); err != nil {
		w.release()
		return err
	}
	w.strict = strict
	return nil
}

// discard has database/sql drop a connection whose file has failed under it, so
// that the next try opens the file anew.
func (w *writer) discard(err error) error {
	var se sqlite3.Error
	if !errors.As(err, &se) {
		return err
	}
	switch se.Code {
	case sqlite3.ErrIoErr, sqlite3.ErrCorrupt, sqlite3.ErrNotADB, sqlite3.ErrCantOpen, sqlite3.ErrReadonly:
		w.release()
		return errors.Join(err, driver.ErrBadConn)
	}
	return err
}

// release gives the statements back. A connection closes only without them.
func (w *writer) release() {
	for _, s := range w.prepared {
		s.Close() // fails only if the statement's last run did, which was reported then
	}
	w.prepared, w.conn = nil, nil
}

// close releases the statements while no one else uses the connection.
func (w *writer) close() {
	if w.conn == nil {
		return
	}
	conn, err := w.db.Conn(context.Background())
	if err != nil {
		w.release()
		return
	}
	defer conn.Close()
	conn.Raw(func(any) error { w.release(); return nil }) // returns what its func does
}
