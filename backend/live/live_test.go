package live

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// take subscribes after lastID and returns the first n events.
func take(t *testing.T, h *Hub, lastID string, n int, meanwhile func()) []Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	enough := errors.New("enough")
	var got []Event
	var wg sync.WaitGroup
	defer wg.Wait()
	if meanwhile != nil {
		wg.Go(func() { h.waitForListener(ctx); meanwhile() })
	}
	err := h.Subscribe(ctx, lastID, func(e Event) error {
		if got = append(got, e); len(got) == n {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatalf("got %d of %d events: %v", len(got), n, err)
	}
	return got
}

// waitForListener returns as soon as somebody listens.
func (h *Hub) waitForListener(ctx context.Context) {
	for ctx.Err() == nil {
		h.mu.Lock()
		n := len(h.subs)
		h.mu.Unlock()
		if n > 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func publish(t *testing.T, h *Hub, n int) {
	t.Helper()
	for i := range n {
		if err := h.Publish(RequestStart, i); err != nil {
			t.Error(err)
		}
	}
}

func TestAListenerHearsWhatComesAfterItCame(t *testing.T) {
	h := NewHub()
	publish(t, h, 3)
	got := take(t, h, "", 2, func() { publish(t, h, 2) })
	if string(got[0].Data) != "0" || string(got[1].Data) != "1" || got[0].Type != RequestStart {
		t.Errorf("got %+v", got)
	}
}

func TestAListenerTakesUpWhereItLeftOff(t *testing.T) {
	h := NewHub()
	first := take(t, h, "", 1, func() { publish(t, h, 4) })
	got := take(t, h, first[0].ID, 3, nil)
	for i, e := range got {
		if want := string(rune('1' + i)); string(e.Data) != want {
			t.Errorf("event %d is %s, want %s", i, e.Data, want)
		}
	}
}

func TestAListenerThatMissedTooMuchIsTold(t *testing.T) {
	h := NewHub()
	first := take(t, h, "", 1, func() { publish(t, h, 1) })
	publish(t, h, 5*historySize)
	got := take(t, h, first[0].ID, 2, nil)
	if got[0].Type != Reset || got[1].Type != RequestStart {
		t.Errorf("got %s, %s", got[0].Type, got[1].Type)
	}
}

func TestAnIDOfAnotherRunIsReset(t *testing.T) {
	h := NewHub()
	publish(t, h, 3)
	for _, id := range []string{"another-2", "nonsense", h.boot + "-99", h.boot + "-x"} {
		if got := take(t, h, id, 1, nil); got[0].Type != Reset {
			t.Errorf("%q: got %s", id, got[0].Type)
		}
	}
}

func TestAnEventWithoutJSONIsAnError(t *testing.T) {
	if err := NewHub().Publish(State, func() {}); err == nil {
		t.Error("no error")
	}
}

func TestFixedDataIsHeardInOrderWithTheRest(t *testing.T) {
	h := NewHub()
	first := take(t, h, "", 1, func() { publish(t, h, 1) })
	n := 7
	h.PublishFixed(RequestEnd, struct {
		N *int `json:"n"`
	}{&n})
	publish(t, h, 1)
	h.PublishFixed(RequestEnd, func() {}) // no JSON form
	got := take(t, h, first[0].ID, 3, nil)
	if got[0].Type != RequestEnd || string(got[0].Data) != `{"n":7}` || string(got[1].Data) != "0" || got[2].Type != Reset {
		t.Errorf("got %+v", got)
	}
}

func TestTheHistoryStaysBounded(t *testing.T) {
	h := NewHub()
	publish(t, h, 20*historySize)
	if n := cap(h.history); n > 4*historySize {
		t.Errorf("room for %d events", n)
	}
	if got := take(t, h, h.boot+"-"+"20479", 1, nil); got[0].ID != h.Last() {
		t.Errorf("got %+v, the last is %s", got[0], h.Last())
	}
}

func TestAClosedHubGivesWhatWasPublishedBefore(t *testing.T) {
	h := NewHub()
	first := h.Last()
	var heard atomic.Int64
	ended := make(chan error, 2)
	go func() { // one that listens already
		ended <- h.Subscribe(t.Context(), first, func(Event) error { heard.Add(1); return nil })
	}()
	h.waitForListener(t.Context())
	for range 5 {
		h.PublishFixed(RequestEnd, 1)
	}
	h.Close()
	h.Close() // a second time does nothing
	if err := <-ended; !errors.Is(err, ErrClosed) || heard.Load() != 5 {
		t.Errorf("the listener heard %d of 5 events and then %v", heard.Load(), err)
	}
	heard.Store(0)
	if err := h.Subscribe(t.Context(), first, func(Event) error { heard.Add(1); return nil }); !errors.Is(err, ErrClosed) || heard.Load() != 5 {
		t.Errorf("one that came too late heard %d of 5 events and then %v", heard.Load(), err)
	}
}
