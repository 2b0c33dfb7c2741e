package access

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"mlxbar/backend/testkit"
)

// count is how many keys the database has, those that were taken back included.
func (r *rig) count() (n int) {
	r.t.Helper()
	if err := r.db.Readers.QueryRowContext(r.t.Context(), "SELECT count(*) FROM access_keys").Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

// A server that ends within the time takes nothing along: the next one knows the key as taken back, and can give it back.
func TestAKeyThatWasTakenBackCanBeHadBackAfterARestart(t *testing.T) {
	r := newRig(t)
	k, secret := r.key(Limits{Models: []string{"gpt-*"}, TokensPerDay: 100})
	before, _ := r.store.List(t.Context())
	if err := r.guard.Delete(t.Context(), k.ID); err != nil {
		t.Fatal(err)
	}
	r.db.Close()
	r.open()
	if _, err := r.guard.Identify(secret); !errors.Is(err, ErrUnknown) {
		t.Errorf("after the restart it lets in: %v", err)
	}
	if all, err := r.guard.List(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("it is listed: %+v, %v", all, err)
	}
	if err := r.guard.Update(t.Context(), k.ID, "other", Limits{}); !errors.Is(err, ErrNotFound) {
		t.Errorf("it was changed: %v", err)
	}
	if err := r.guard.Delete(t.Context(), k.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("it was taken back twice, which would lengthen its time: %v", err)
	}
	r.time = r.time.Add(UndoTime - time.Millisecond)
	if err := r.guard.Restore(t.Context(), k.ID); err != nil {
		t.Fatal(err)
	}
	after, err := r.guard.List(t.Context())
	if err != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("it was %+v and is %+v, %v", before, after, err)
	}
	if got, err := r.guard.Identify(secret); err != nil || got.ID != k.ID {
		t.Errorf("identified as %+v, %v", got, err)
	}
}

func TestAKeyThatWasTakenBackLongAgoIsGone(t *testing.T) {
	r := newRig(t)
	k, secret := r.key(Limits{})
	r.key(Limits{}) // which stays
	if err := r.guard.Delete(t.Context(), k.ID); err != nil {
		t.Fatal(err)
	}
	due, err := r.store.purge(t.Context(), noon.Add(UndoTime-time.Millisecond))
	if err != nil || !due.Equal(noon.Add(UndoTime)) || r.count() != 2 {
		t.Errorf("within the time: due %v, %v, %d keys", due, err, r.count())
	}
	r.time = noon.Add(UndoTime)
	if err := r.guard.Restore(t.Context(), k.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("restored: %v", err)
	}
	if due, err := r.store.purge(t.Context(), r.time); err != nil || !due.IsZero() || r.count() != 1 {
		t.Errorf("after it: due %v, %v, %d keys", due, err, r.count())
	}
	if _, err := r.guard.Identify(secret); !errors.Is(err, ErrUnknown) {
		t.Errorf("it is known: %v", err)
	}
}

// A clock that is set back does not keep a key for hours.
func TestAKeyOfTheFutureIsClearedAway(t *testing.T) {
	r := newRig(t)
	k, _ := r.key(Limits{})
	if err := r.guard.Delete(t.Context(), k.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := r.store.purge(t.Context(), noon.Add(-time.Hour)); err != nil || r.count() != 0 {
		t.Errorf("%v, %d keys", err, r.count())
	}
}

// What an earlier run of the server left is cleared away by the next one.
func TestWhatWasTakenBackIsClearedAwayInTheBackground(t *testing.T) {
	r := newRig(t)
	k, _ := r.key(Limits{})
	if err := r.guard.Delete(t.Context(), k.ID); err != nil { // at noon of a day that is long over
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); r.guard.RunDeletions(ctx, slog.New(slog.DiscardHandler)) }()
	for deadline := time.Now().Add(testkit.Patience); r.count() > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Error("it is still there")
			break
		}
	}
	end()
	<-ended
}
