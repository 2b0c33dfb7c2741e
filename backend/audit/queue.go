package audit

import (
	"context"
	"sync"
	"time"
)

// kind is what an event does to its record's row.
type kind uint8

const (
	start      kind = iota // there is a row
	end                    // it is complete
	withdrawal             // it is to go: its request was refused
	dead                   // merged into another event of the batch
)

type event struct {
	row  row
	kind kind
}

// batch is what one transaction writes.
type batch struct {
	events  []event
	done    chan struct{} // closed when committed
	refused chan struct{} // closed when the disk has refused it once

	isRefused bool
	began     time.Time // when its first event came
}

// queue holds the events on their way to the disk: a batch that fills, and one
// that the writer has taken. Both together are bounded.
type queue struct {
	limit, enough int
	some          chan struct{} // a token: there is something to write
	many          chan struct{} // a token: there is enough to write now

	mu      sync.Mutex
	filling *batch
	taken   *batch // nil unless the writer is at it
	spare   []event
	failing error
	closed  bool
	changed chan struct{} // closed at the next change of the above, if anyone waits
}

func newQueue(limit, enough int) *queue {
	return &queue{
		limit: limit, enough: enough, filling: newBatch(nil),
		some: make(chan struct{}, 1), many: make(chan struct{}, 1),
	}
}

func newBatch(events []event) *batch {
	return &batch{events: events[:0], done: make(chan struct{}), refused: make(chan struct{})}
}

// putStart queues the start of a record. While the disk fails, a start that
// would have to wait for it is refused instead.
func (q *queue) putStart(ctx context.Context, e event, strict bool) (*batch, error) {
	for {
		q.mu.Lock()
		switch {
		case q.closed:
			q.mu.Unlock()
			return nil, ErrClosed
		case q.failing != nil && (strict || q.size() >= q.limit):
			defer q.mu.Unlock()
			return nil, unavailable(q.failing)
		case q.size() < q.limit:
			defer q.mu.Unlock()
			return q.add(e), nil
		}
		changed := q.onChange()
		q.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// putEnd queues the end of a record, however long it takes.
func (q *queue) putEnd(e event) (*batch, error) {
	for {
		q.mu.Lock()
		if q.closed {
			q.mu.Unlock()
			return nil, ErrClosed
		}
		if q.size() < q.limit {
			b := q.add(e)
			q.mu.Unlock()
			return b, nil
		}
		changed := q.onChange()
		q.mu.Unlock()
		<-changed
	}
}

// force queues e over the limit, and even when closed: it takes back something
// that is in the queue or was.
func (q *queue) force(e event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.add(e)
}

// add appends with the lock held and tells the writer when it matters.
func (q *queue) add(e event) *batch {
	b := q.filling
	b.events = append(b.events, e)
	if q.failing != nil {
		b.refuse()
	}
	switch len(b.events) {
	case 1:
		b.began = time.Now()
		signal(q.some)
	case q.enough:
		signal(q.many)
	}
	return b
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (q *queue) size() int {
	n := len(q.filling.events)
	if q.taken != nil {
		n += len(q.taken.events)
	}
	return n
}

// onChange, with the lock held, is how a waiter hears of a change.
func (q *queue) onChange() <-chan struct{} {
	if q.changed == nil {
		q.changed = make(chan struct{})
	}
	return q.changed
}

// announce, with the lock held, wakes all waiters.
func (q *queue) announce() {
	if q.changed != nil {
		close(q.changed)
		q.changed = nil
	}
}

// take gives the writer all that waits, or nil.
func (q *queue) take() *batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.filling.events) == 0 {
		return nil
	}
	q.taken = q.filling
	q.filling, q.spare = newBatch(q.spare), nil
	select { // a token for what has just been taken
	case <-q.many:
	default:
	}
	return q.taken
}

// committed ends the batch that take gave.
func (q *queue) committed(b *batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	close(b.done)
	clear(b.events) // lets go of the strings
	q.spare, q.taken, q.failing = b.events, nil, nil
	q.announce()
}

// refused notes that the disk did not take b. What fills meanwhile waits behind
// it, so its waiters are told as well.
func (q *queue) refused(b *batch, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.failing = err
	b.refuse()
	if len(q.filling.events) > 0 {
		q.filling.refuse()
	}
	q.announce()
}

func (b *batch) refuse() {
	if !b.isRefused {
		b.isRefused = true
		close(b.refused)
	}
}

// last is the batch that holds the youngest event, or nil if there is none.
func (q *queue) last() *batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.filling.events) > 0 {
		return q.filling
	}
	return q.taken
}

func (q *queue) failure() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.failing
}

func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.size()
}

func (q *queue) backlog() (events int, since time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	oldest := q.filling
	if q.taken != nil {
		oldest = q.taken
	}
	return q.size(), oldest.began
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.announce()
}
