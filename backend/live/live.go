// Package live tells whoever listens what happens in the server as it happens:
// a bounded history of events, so that a listener who lost its connection can
// take up where it left off.
package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Event is one thing that happened. Data is JSON.
type Event struct {
	ID   string // "<boot>-<sequence>", unique over restarts
	Type string // such as request.start
	Data json.RawMessage
}

// entry is an event in the history. Its JSON is made when someone hears it, unless
// raw has it already: most events of a busy server are heard by nobody.
type entry struct {
	seq       uint64
	eventType string
	data      any
	raw       json.RawMessage
}

// Types of events.
const (
	RequestStart = "request.start" // data: an audit record
	RequestEnd   = "request.end"   // data: an audit record
	State        = "state"         // data: the server's status
	Benchmark    = "benchmark"     // data: the benchmark that runs, or has ended
	Models       = "models"        // data: the models of this machine, as GET /api/models tells them
	Download     = "download"      // data: a download, at each change and once a second while it runs
	Export       = "export"        // data: how a download of the audit ended, for who asked to be told
	// Activity is what is going on, for each listener once a second; it does not go
	// through the hub.
	Activity = "activity"
	// Reset is sent in place of events that are no longer in the history: the
	// listener must fetch what it shows anew.
	Reset = "reset"
)

const historySize = 1024

// ErrClosed ends a subscription after the last event of a hub that is closed.
var ErrClosed = errors.New("the hub is closed")

// Hub takes events and hands them to every subscriber. It never blocks its
// publishers: a subscriber that falls too far behind is resent from the history,
// or told to reset.
type Hub struct {
	boot string

	mu      sync.Mutex
	history []entry // the newest at the end, at most historySize
	seq     uint64
	subs    map[chan struct{}]struct{}

	closed    chan struct{}
	closeOnce sync.Once
}

// NewHub makes a hub whose event ids are unlike those of any earlier one.
func NewHub() *Hub {
	return &Hub{boot: strconv.FormatInt(time.Now().UnixMilli(), 36), subs: map[chan struct{}]struct{}{}, closed: make(chan struct{})}
}

// Close ends every subscription once it has been given what was published before.
func (h *Hub) Close() { h.closeOnce.Do(func() { close(h.closed) }) }

// Closed is closed when the hub is.
func (h *Hub) Closed() <-chan struct{} { return h.closed }

func (h *Hub) isClosed() bool {
	select {
	case <-h.closed:
		return true
	default:
		return false
	}
}

// Publish announces an event. data must have a JSON form; one that has none is
// a defect of the caller and comes back as an error.
func (h *Hub) Publish(eventType string, data any) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("live event %s: %w", eventType, err)
	}
	h.add(entry{eventType: eventType, raw: raw})
	return nil
}

// PublishFixed announces an event whose data, and all that it points to, never
// changes again. It costs next to nothing while nobody listens. Data that turns out
// to have no JSON form reaches listeners as a reset.
func (h *Hub) PublishFixed(eventType string, data any) {
	h.add(entry{eventType: eventType, data: data})
}

func (h *Hub) add(e entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq++
	e.seq = h.seq
	if len(h.history) >= 2*historySize { // drop in bulk: amortised constant time
		kept := copy(h.history, h.history[historySize:])
		clear(h.history[kept:]) // lets go of their data
		h.history = h.history[:kept]
	}
	h.history = append(h.history, e)
	for wake := range h.subs {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// event is what listeners get of e.
func (h *Hub) event(e entry) Event {
	out := Event{ID: h.id(e.seq), Type: e.eventType, Data: e.raw}
	if out.Data == nil {
		raw, err := json.Marshal(e.data)
		if err != nil {
			return Event{ID: out.ID, Type: Reset, Data: nothing}
		}
		out.Data = raw
	}
	return out
}

var nothing = json.RawMessage(`{}`)

func (h *Hub) id(seq uint64) string { return h.boot + "-" + strconv.FormatUint(seq, 10) }

// Last is the id of the latest event. A subscriber that gives it to Subscribe
// misses nothing of what is published from now on.
func (h *Hub) Last() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.id(h.seq)
}

// Subscribe calls deliver for every event after lastID, in order, until ctx ends
// deliver returns an error, or the hub closes (ErrClosed). An empty lastID starts at now.
func (h *Hub) Subscribe(ctx context.Context, lastID string, deliver func(Event) error) error {
	wake := make(chan struct{}, 1)
	h.mu.Lock()
	h.subs[wake] = struct{}{}
	next, known := h.position(lastID)
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		delete(h.subs, wake)
		h.mu.Unlock()
	}()

	if !known {
		if err := deliver(h.reset()); err != nil {
			return err
		}
	}
	for {
		last := h.isClosed() // looked at before the history: nothing published before it is missed
		entries, complete := h.after(next)
		if !complete {
			if err := deliver(h.reset()); err != nil {
				return err
			}
		}
		for _, e := range entries {
			if err := deliver(h.event(e)); err != nil {
				return err
			}
			next = e.seq
		}
		if last {
			return ErrClosed
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wake:
		case <-h.closed:
		}
	}
}

// position finds where a subscriber that saw lastID goes on; known is false when
// that event is of another run of the server.
func (h *Hub) position(lastID string) (seq uint64, known bool) {
	if lastID == "" {
		return h.seq, true
	}
	boot, n, _ := strings.Cut(lastID, "-")
	seq, err := strconv.ParseUint(n, 10, 64)
	if boot != h.boot || err != nil || seq > h.seq {
		return h.seq, false
	}
	return seq, true
}

// after copies the entries after seq; complete is false when
// some of them have left the history.
func (h *Hub) after(seq uint64) (entries []entry, complete bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.history) == 0 || seq >= h.seq {
		return nil, true
	}
	first := h.history[0].seq
	complete = seq+1 >= first
	from := 0
	if complete {
		from = int(seq + 1 - first)
	}
	return append([]entry(nil), h.history[from:]...), complete
}

func (h *Hub) reset() Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Event{ID: h.id(h.seq), Type: Reset, Data: nothing}
}
