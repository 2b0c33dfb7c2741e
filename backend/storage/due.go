package storage

import (
	"context"
	"database/sql"
	"time"
)

const retryDue = 10 * time.Second

// WhenDue calls work now, whenever it said that it is due, and when wake tells of something new, until ctx ends. work
// gives when it is due next, zero for never; if it fails, failed hears of it and it is tried again in a while.
func WhenDue(ctx context.Context, wake <-chan struct{}, work func(context.Context, time.Time) (due time.Time, err error), failed func(error)) {
	for {
		due, err := work(ctx, time.Now())
		var alarm <-chan time.Time
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			failed(err)
			alarm = time.After(retryDue)
		case !due.IsZero():
			alarm = time.After(time.Until(due))
		}
		select {
		case <-ctx.Done():
			return
		case <-alarm:
		case <-wake:
		}
	}
}

// Purge deletes for good those rows of a table that were taken out of sight longer than undo ago, which column tells in milliseconds since
// 1970, and gives when the next are due, zero if there are none. It is work for WhenDue.
func (db *DB) Purge(ctx context.Context, table, column string, undo time.Duration, now time.Time) (due time.Time, err error) {
	tx, err := db.Writer.BeginTx(ctx, nil)
	if err != nil {
		return time.Time{}, err
	}
	defer tx.Rollback() // does nothing after the commit
	// A clock that was set back must not keep a row for much longer.
	if _, err := tx.ExecContext(ctx, "DELETE FROM "+table+" WHERE "+column+" IS NOT NULL AND "+column+" NOT BETWEEN ? AND ?",
		now.Add(-undo).UnixMilli()+1, now.Add(undo).UnixMilli()); err != nil {
		return time.Time{}, err
	}
	var first sql.NullInt64
	if err := tx.QueryRowContext(ctx, "SELECT min("+column+") FROM "+table).Scan(&first); err != nil {
		return time.Time{}, err
	}
	if first.Valid {
		due = time.UnixMilli(first.Int64).Add(undo)
	}
	return due, tx.Commit()
}
