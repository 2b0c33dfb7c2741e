package archive

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"mlxbar/backend/storage"
)

// UndoTime is how long a deletion can be taken back.
const UndoTime = 10 * time.Second

// Delete takes a run out of sight, and for good after UndoTime: RunDeletions does that.
func (a *Archive) Delete(ctx context.Context, id int64, now time.Time) error {
	err := a.change(ctx, ErrNotFound, "UPDATE benchmarks SET deleted_at = ? WHERE id = ? AND deleted_at IS NULL", now.UnixMilli(), id)
	if err == nil {
		a.look()
	}
	return err
}

// Undelete brings a run back that Delete took out of sight.
func (a *Archive) Undelete(ctx context.Context, id int64, now time.Time) error {
	return a.change(ctx, ErrNothingToRestore, "UPDATE benchmarks SET deleted_at = NULL WHERE id = ? AND deleted_at > ?", id, now.Add(-UndoTime).UnixMilli())
}

// Purge deletes for good what can no longer be had back, and gives the time when there is more
// to do, zero if there is nothing.
func (a *Archive) Purge(ctx context.Context, now time.Time) (due time.Time, err error) {
	if due, err = a.db.Purge(ctx, "benchmarks", "deleted_at", UndoTime, now); err != nil {
		return time.Time{}, fmt.Errorf("clear deleted benchmarks away: %w", err)
	}
	return due, nil
}

// RunDeletions clears away what was deleted, in an earlier run of the server as well, until ctx ends.
func (a *Archive) RunDeletions(ctx context.Context, log *slog.Logger) {
	storage.WhenDue(ctx, a.wake, a.Purge, func(err error) {
		log.Error("deleted benchmarks could not be cleared away; trying again", "cause", err)
	})
}

// look has RunDeletions look again.
func (a *Archive) look() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}
