package engine

import (
	"cmp"
	"context"
	"slices"
	"time"

	"mlxbar/backend/gateway/requestid"
)

// Bounds of when who was turned away may ask again, and what is taken for a load while none is known: about what a model of some gigabytes takes.
const (
	retryLeast, retryMost = time.Second, time.Minute
	usualLoad             = 5 * time.Second
)

// pace is how long queues took lately, from the first request in them to the answer for all.
type pace struct{ mean time.Duration }

// note takes in how long one took. What is recent counts most.
func (p *pace) note(took time.Duration) {
	if p.mean == 0 {
		p.mean = took
	}
	p.mean = (p.mean + took) / 2
}

// left is how long a queue that began so long ago will take yet, with so many loads before its own. One that takes longer than the last ones
// is believed to be half over.
func (p pace) left(since time.Duration, ahead int) time.Duration {
	load := cmp.Or(p.mean, usualLoad)
	own := load - since
	if own <= 0 {
		own = since
	}
	return min(max(own+time.Duration(ahead)*load, retryLeast), retryMost)
}

// waiter is a request that waits for a model's engine. The pool's mutex guards it until done is closed.
type waiter struct {
	done  chan struct{} // closed when lease or err is there
	lease *Lease
	err   error
}

// Acquire leases the engine of model, which is loaded if it is not; all who ask
// meanwhile wait for the same load. Errors: ErrUnknownModel, ErrClosed, *LoadError,
// *QueueFullError, ctx's.
func (p *Pool) Acquire(ctx context.Context, model string) (*Lease, error) {
	s, err := p.slot(model)
	if err != nil {
		return nil, err
	}
	lease, w, err := s.lease(ctx)
	if w == nil {
		return lease, err
	}
	select {
	case <-w.done:
		return w.lease, w.err
	case <-ctx.Done():
		return s.leave(ctx, w)
	}
}

// lease gives a lease, or an error, or a place among those who wait.
func (s *slot) lease(ctx context.Context) (*Lease, *waiter, error) {
	p := s.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return nil, nil, ErrClosed
	case s.answers():
		p.changed()
		return s.grant(), nil, nil
	case s.run == nil && s.load == nil && s.failure != nil && p.now().Before(s.retryAt):
		return nil, nil, s.failure
	}
	if most := p.limits().Queue; most > 0 && len(s.waiters) >= most {
		return nil, nil, &QueueFullError{Model: s.name, Waiting: len(s.waiters), RetryAfter: s.pace.left(p.now().Sub(s.asked), s.ahead())}
	}
	w := &waiter{done: make(chan struct{})}
	s.waiters = append(s.waiters, w)
	if s.run == nil && s.load == nil {
		s.begin(context.WithoutCancel(ctx), 0)
	}
	s.takeTicket()
	p.cfg.Logger.InfoContext(ctx, "a request waits for a model", "request_id", requestid.From(ctx), "model", s.name, "place", len(s.waiters), "loads_ahead", s.ahead())
	p.changed()
	return nil, w, nil
}

// ahead is how many loads that need room come before the slot's own. The pool's mutex is held.
func (s *slot) ahead() (n int) {
	for _, l := range s.pool.line {
		if l.ticket < s.ticket {
			n++
		}
	}
	return n
}

// answers says whether a child is there that takes requests. The pool's mutex is held.
func (s *slot) answers() bool {
	return s.run != nil && !s.run.retiring && !isClosed(s.run.Gone())
}

// grant makes a lease of the child that is there. The pool's mutex is held.
func (s *slot) grant() *Lease {
	run := s.run
	run.inFlight++
	if s.pool.cfg.Busy != nil {
		s.pool.cfg.Busy.Begin()
	}
	s.used = s.pool.now()
	lease := NewLease(s.engine.Name(), run.baseURL, run.spec.APIKey, run.Gone(), func() { s.release(run) })
	lease.beats = run.beats
	return lease
}

func (s *slot) release(run *incarnation) {
	p := s.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	run.inFlight--
	if p.cfg.Busy != nil {
		p.cfg.Busy.End()
	}
	s.used = p.now()
	if run.retiring && run.inFlight == 0 {
		close(run.idle)
	}
	p.arrange()
	p.changed()
}

// takeTicket notes when somebody first asked for the load to come: loads that need room go in that order, also
// when the model has to be unloaded first. The pool's mutex is held.
func (s *slot) takeTicket() {
	if s.ticket == 0 {
		s.pool.tickets++
		s.ticket, s.asked = s.pool.tickets, s.pool.now()
	}
}

// settle ends the waiting of all: with err, or with a lease each. The pool's mutex is held.
func (s *slot) settle(err error) {
	if err == nil && s.ticket != 0 {
		s.pace.note(s.pool.now().Sub(s.asked))
	}
	for _, w := range s.waiters {
		if w.err = err; err == nil {
			w.lease = s.grant()
		}
		close(w.done)
	}
	s.waiters, s.ticket = nil, 0
}

// leave takes w out of those who wait, unless what it waited for came just then. A load that has to wait for room,
// and that nobody waits for any more, is broken off, so that no other model goes for nothing.
func (s *slot) leave(ctx context.Context, w *waiter) (*Lease, error) {
	p := s.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if isClosed(w.done) {
		return w.lease, w.err
	}
	s.waiters = slices.DeleteFunc(s.waiters, func(o *waiter) bool { return o == w })
	switch {
	case len(s.waiters) > 0:
	case s.load == nil:
		s.ticket = 0
	case !s.load.wanted && slices.Contains(p.line, s.load):
		s.load.left = true
		s.load.cancel()
	}
	p.changed()
	return nil, ctx.Err()
}
