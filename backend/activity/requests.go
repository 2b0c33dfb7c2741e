// Package activity is what the server does at this moment: the requests that run, how many
// came and how many tokens were made of late, and what the machine and the processes on it use.
package activity

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Phase is how far a request has come.
type Phase string

// The phases. An answer that is not streamed waits until it is there as a whole.
const (
	Waiting   Phase = "waiting"
	Streaming Phase = "streaming"
)

// Running is a request at one moment.
type Running struct {
	ID          int64     `json:"id" doc:"The number of its record; unique, as request_id is not where a client sets it."`
	RequestID   string    `json:"request_id"`
	StartedAt   time.Time `json:"started_at"`
	Model       string    `json:"model" doc:"The model asked for."`
	ServedModel string    `json:"served_model" doc:"The model that answers; empty until that is known."`
	Backend     string    `json:"backend" enum:"LOCAL,OPENAI,ANTHROPIC"`
	Provider    string    `json:"provider" doc:"The engine or provider; empty until that is known."`
	Endpoint    string    `json:"endpoint"`
	Stream      bool      `json:"stream"`
	Client      string    `json:"client"`
	Phase       Phase     `json:"phase" enum:"waiting,streaming" doc:"streaming from the first token of a stream on."`
	TTFTMS      *float64  `json:"ttft_ms" doc:"Milliseconds until the first token; null before it."`
	Bytes       int64     `json:"bytes" doc:"Sent to the client so far."`
	Tokens      int64     `json:"tokens" doc:"Generated so far, as far as the events of a stream show it."`
}

// Requests are those that run, and the counts of those that ran of late. What a request
// costs here is a few locks that nobody else holds for long; nothing runs while none does.
type Requests struct {
	history history

	mu      sync.Mutex
	running map[*Request]struct{}
}

// NewRequests makes an empty list.
func NewRequests() *Requests { return &Requests{running: map[*Request]struct{}{}} }

// Request is one that runs. Its own goroutine calls it, but for what List and Cancel do.
type Request struct {
	list          *Requests
	bytes, tokens atomic.Int64

	mu     sync.Mutex
	facts  Running
	cancel func(cause error) // nil once it has ended
}

// Begin adds a request. cancel ends it for a reason; it is not called after End.
func (l *Requests) Begin(facts Running, cancel func(cause error)) *Request {
	facts.Phase = Waiting
	r := &Request{list: l, facts: facts, cancel: cancel}
	l.mu.Lock()
	l.running[r] = struct{}{}
	l.mu.Unlock()
	l.history.add(time.Now(), 1, 0)
	return r
}

// ServedBy notes who answers.
func (r *Request) ServedBy(backend, model, provider string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.facts.Backend, r.facts.ServedModel, r.facts.Provider = backend, model, provider
}

// Begun notes the first token of a stream.
func (r *Request) Begun(ttftMS float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.facts.Phase, r.facts.TTFTMS = Streaming, &ttftMS
}

// Sent notes what the client has been sent in all.
func (r *Request) Sent(bytes, tokens int64) {
	r.bytes.Store(bytes)
	r.count(tokens)
}

func (r *Request) count(tokens int64) {
	if more := tokens - r.tokens.Load(); more > 0 {
		r.tokens.Store(tokens)
		r.list.history.add(time.Now(), 0, more)
	}
}

// End takes the request off the list. completion is what its answer says of its tokens,
// which may be more than was seen of them; 0 when it says nothing. A second call does nothing.
func (r *Request) End(completion int64) {
	r.mu.Lock()
	ended := r.cancel == nil
	r.cancel = nil
	r.mu.Unlock()
	if ended {
		return
	}
	r.list.mu.Lock()
	delete(r.list.running, r)
	r.list.mu.Unlock()
	r.count(completion)
}

// List gives the running requests, the oldest first.
func (l *Requests) List() []Running {
	l.mu.Lock()
	all := make([]Running, 0, len(l.running))
	for r := range l.running {
		all = append(all, r.now())
	}
	l.mu.Unlock()
	slices.SortFunc(all, func(a, b Running) int {
		return cmp.Or(a.StartedAt.Compare(b.StartedAt), cmp.Compare(a.ID, b.ID))
	})
	return all
}

func (r *Request) now() Running {
	r.mu.Lock()
	defer r.mu.Unlock()
	facts := r.facts
	facts.Bytes, facts.Tokens = r.bytes.Load(), r.tokens.Load()
	return facts
}

// Cancel ends the request of that id, or all of them where a client gave several the same.
// found is false when none runs.
func (l *Requests) Cancel(requestID string, cause error) (found bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for r := range l.running {
		if r.end(requestID, cause) {
			found = true
		}
	}
	return found
}

// end holds the request's mutex while it cancels, so that a request that has ended meanwhile
// is left alone: its connection may serve another by then.
func (r *Request) end(requestID string, cause error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.facts.RequestID != requestID || r.cancel == nil {
		return false
	}
	r.cancel(cause)
	return true
}

// History is the last ten minutes, the oldest point first; the newest is still filling.
func (l *Requests) History(now time.Time) []Point { return l.history.points(now) }

// Point is the newest of History.
func (l *Requests) Point(now time.Time) Point { return l.history.point(epoch(now)) }
