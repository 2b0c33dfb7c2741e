package access

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"mlxbar/backend/storage"
)

// UndoTime is how long a key that was taken back can be had back.
const UndoTime = 10 * time.Second

// Delete takes a key back: no request that comes from then on is let through with it. After UndoTime it goes for good;
// RunDeletions does that.
func (g *Guard) Delete(ctx context.Context, id string) error {
	return g.changed(ctx, func() error {
		if err := g.store.revoke(ctx, id, g.now()); err != nil {
			return err
		}
		g.forget(id)
		select {
		case g.wake <- struct{}{}:
		default:
		}
		return nil
	})
}

// Restore makes a key good again that was taken back less than UndoTime ago; ErrNotFound if there is none.
func (g *Guard) Restore(ctx context.Context, id string) error {
	return g.changed(ctx, func() error { return g.store.restore(ctx, id, g.now()) })
}

// RunDeletions clears away what was taken back, in an earlier run of the server as well, until ctx ends.
func (g *Guard) RunDeletions(ctx context.Context, log *slog.Logger) {
	storage.WhenDue(ctx, g.wake, g.store.purge, func(err error) {
		log.Error("API keys that were taken back could not be cleared away; trying again", "cause", err)
	})
}

// forget lets no request through with a key any more, whatever becomes of reading the others.
func (g *Guard) forget(id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for sum, h := range g.byHash {
		if h.key.ID == id {
			delete(g.byHash, sum)
		}
	}
	delete(g.byID, id)
}

// revoke takes a key out of sight. Records go on naming its id.
func (s *Store) revoke(ctx context.Context, id string, now time.Time) error {
	return s.change(ctx, "UPDATE access_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", now.UnixMilli(), id)
}

func (s *Store) restore(ctx context.Context, id string, now time.Time) error {
	return s.change(ctx, "UPDATE access_keys SET revoked_at = NULL WHERE id = ? AND revoked_at > ?", id, now.Add(-UndoTime).UnixMilli())
}

// purge deletes for good what can no longer be had back, and gives the time when there is more to do, zero if there is nothing.
func (s *Store) purge(ctx context.Context, now time.Time) (due time.Time, err error) {
	if due, err = s.db.Purge(ctx, "access_keys", "revoked_at", UndoTime, now); err != nil {
		return time.Time{}, fmt.Errorf("clear away the keys that were taken back: %w", err)
	}
	return due, nil
}
