package audit

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

const (
	// retainChunk rows go in one transaction, so that the recorder waits for
	// moments only.
	retainChunk = 500
	// vacuumChunk pages are given back to the file system at a time.
	vacuumChunk = 256
)

// Retain deletes the records older than days, then the oldest ones until the
// database holds no more than maxMB MiB, and gives the room back to the file
// system. Zero for either leaves that limit out. Records that are still running
// stay. It returns how many records went.
func (s *Store) Retain(ctx context.Context, days, maxMB int, now time.Time) (int64, error) {
	if s.db.Writer == nil {
		return 0, ErrReadOnly
	}
	var deleted int64
	if days > 0 {
		n, err := s.deleteBefore(ctx, now.AddDate(0, 0, -days))
		deleted += n
		if err != nil {
			return deleted, fmt.Errorf("delete old records: %w", err)
		}
	}
	if maxMB > 0 {
		n, err := s.deleteOver(ctx, int64(maxMB)<<20)
		deleted += n
		if err != nil {
			return deleted, fmt.Errorf("delete records over the size limit: %w", err)
		}
	}
	if err := s.shrink(ctx); err != nil {
		return deleted, fmt.Errorf("shrink the database: %w", err)
	}
	return deleted, nil
}

func (s *Store) deleteBefore(ctx context.Context, cutoff time.Time) (int64, error) {
	return s.deleteChunks(ctx, func() (bool, error) { return true, nil },
		`DELETE FROM requests WHERE id IN (SELECT id FROM requests
			WHERE started_at < ? AND status <> 'running' ORDER BY started_at LIMIT ?) RETURNING `+endedColumns, millis(cutoff), retainChunk)
}

func (s *Store) deleteOver(ctx context.Context, limit int64) (int64, error) {
	return s.deleteChunks(ctx, func() (bool, error) {
		used, err := s.usedBytes(ctx)
		return used > limit, err
	}, `DELETE FROM requests WHERE id IN (SELECT id FROM requests WHERE status <> 'running' ORDER BY id LIMIT ?) RETURNING `+endedColumns, retainChunk)
}

func (s *Store) deleteChunks(ctx context.Context, more func() (bool, error), query string, args ...any) (int64, error) {
	var total int64
	for {
		if ok, err := more(); err != nil || !ok {
			return total, err
		}
		var n int64
		err := s.write(ctx, func(tx *sql.Tx) error {
			if err := keepLastID(ctx, tx); err != nil {
				return err
			}
			var err error
			n, err = change(ctx, tx, -1, query, args...)
			return err
		})
		total += n
		if err != nil || n == 0 {
			return total, err
		}
	}
}

// usedBytes is the size of the pages that hold something. Kept benchmarks are left out: no
// record goes for them.
func (s *Store) usedBytes(ctx context.Context) (int64, error) {
	pages, free, size, err := s.pages(ctx)
	if err != nil {
		return 0, err
	}
	var others int64
	err = s.db.Writer.QueryRowContext(ctx, `SELECT coalesce(sum(length(file) + octet_length(summary)), 0) FROM benchmarks`).Scan(&others)
	return (pages-free)*size - others, err
}

func (s *Store) pages(ctx context.Context) (pages, free, size int64, err error) {
	err = s.db.Writer.QueryRowContext(ctx, `SELECT
		(SELECT page_count FROM pragma_page_count), (SELECT freelist_count FROM pragma_freelist_count),
		(SELECT page_size FROM pragma_page_size)`).Scan(&pages, &free, &size)
	return pages, free, size, err
}

// shrink cuts free pages off the file's end, and folds the log into the file,
// for only that shortens it. Readers at work keep the log for later.
func (s *Store) shrink(ctx context.Context) error {
	for {
		_, free, _, err := s.pages(ctx)
		if err != nil {
			return err
		}
		if free == 0 {
			break
		}
		if err := s.step(ctx, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", vacuumChunk)); err != nil {
			return err
		}
		_, left, _, err := s.pages(ctx)
		if err != nil {
			return err
		}
		if left >= free {
			break
		}
	}
	return s.step(ctx, "PRAGMA wal_checkpoint(PASSIVE)")
}

// step runs a pragma to its end: incremental_vacuum frees one page per row read.
func (s *Store) step(ctx context.Context, pragma string) error {
	rows, err := s.db.Writer.QueryContext(ctx, pragma)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}
