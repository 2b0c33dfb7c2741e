package awake

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mlxbar/backend/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// holder counts what is held.
type holder struct {
	held, taken atomic.Int64
	err         atomic.Pointer[error]
}

func (h *holder) hold(context.Context) (func() error, error) {
	if err := h.err.Load(); err != nil {
		return nil, *err
	}
	h.held.Add(1)
	h.taken.Add(1)
	return func() error { h.held.Add(-1); return nil }, nil
}

// keeper runs until the test ends.
func keeper(t *testing.T, cfg Config) *Keeper {
	t.Helper()
	if cfg.Wanted == nil {
		cfg.Wanted = func() bool { return true }
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	k := New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { k.Run(ctx) })
	t.Cleanup(func() { cancel(); work.Wait() })
	return k
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(testkit.Patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestItIsHeldWhileAnythingRuns(t *testing.T) {
	var h holder
	k := keeper(t, Config{Hold: h.hold, Lingers: time.Millisecond})
	k.Begin()
	k.Begin()
	eventually(t, "a hold", func() bool { return h.held.Load() == 1 })
	k.End()
	time.Sleep(20 * time.Millisecond) // many times as long as it lingers
	if h.held.Load() != 1 {
		t.Error("it was let go while something ran")
	}
	k.End()
	eventually(t, "its end", func() bool { return h.held.Load() == 0 })
}

func TestQuickRequestsShareAHold(t *testing.T) {
	var h holder
	k := keeper(t, Config{Hold: h.hold, Lingers: time.Hour})
	k.Begin()
	eventually(t, "a hold", func() bool { return h.held.Load() == 1 })
	k.End()
	for range 1000 {
		k.Begin()
		k.End()
	}
	if n := h.taken.Load(); n != 1 {
		t.Errorf("it was held %d times", n)
	}
}

func TestWhatIsNotWantedIsNotHeld(t *testing.T) {
	var h holder
	var wanted atomic.Bool
	k := keeper(t, Config{Hold: h.hold, Wanted: wanted.Load, Lingers: time.Hour})
	k.Begin()
	defer k.End()
	wanted.Store(true)
	k.Refresh()
	eventually(t, "a hold", func() bool { return h.held.Load() == 1 })
	wanted.Store(false)
	k.Refresh()
	eventually(t, "its end", func() bool { return h.held.Load() == 0 })
}

func TestItIsLetGoAtTheEnd(t *testing.T) {
	var h holder
	k := New(Config{Hold: h.hold, Wanted: func() bool { return true }, Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); k.Run(ctx) }()
	k.Begin()
	eventually(t, "a hold", func() bool { return h.held.Load() == 1 })
	cancel()
	testkit.Receive(t, anyOf(ended))
	if h.held.Load() != 0 {
		t.Error("it is held although nobody keeps it")
	}
}

func anyOf(done <-chan struct{}) <-chan bool {
	c := make(chan bool, 1)
	go func() { <-done; c <- true }()
	return c
}

func TestAFailureIsSaidOnce(t *testing.T) {
	var h holder
	log := &testkit.Output{}
	no := errors.New("nobody is there")
	h.err.Store(&no)
	asked := make(chan struct{}, 8)
	k := keeper(t, Config{Lingers: time.Hour, Logger: slog.New(slog.NewTextHandler(log, nil)), Hold: func(ctx context.Context) (func() error, error) {
		defer func() { asked <- struct{}{} }()
		return h.hold(ctx)
	}})
	for range 5 {
		k.Begin()
		testkit.Receive(t, asked)
		k.End()
	}
	h.err.Store(nil) // it is there again
	k.Begin()
	defer k.End()
	eventually(t, "a hold", func() bool { return h.held.Load() == 1 })
	if n := strings.Count(log.String(), "nobody is there"); n != 1 {
		t.Errorf("it was said %d times:\n%s", n, log)
	}
}

func TestAProgramHoldsWhileItRuns(t *testing.T) {
	release, err := byCommand("sleep", "600")
	if err != nil {
		t.Fatal(err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	if release, err = byCommand("true"); err != nil { // ends by itself
		t.Fatal(err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	if _, err := byCommand("no such program"); err == nil {
		t.Error("a program that is not there is no error")
	}
}

// What it costs a request.
func BenchmarkBeginAndEnd(b *testing.B) {
	var h holder
	k := New(Config{Hold: h.hold, Wanted: func() bool { return true }, Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { k.Run(ctx) })
	defer func() { cancel(); work.Wait() }()
	b.ReportAllocs()
	for b.Loop() {
		k.Begin()
		k.End()
	}
}
