package engine

import (
	"context"
	"slices"
	"time"

	"mlxbar/backend/gateway/requestid"
)

// queueRetry is when who was turned away may ask again: about as long as a model of some gigabytes takes to load.
const queueRetry = 5 * time.Second

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
		return nil, nil, &QueueFullError{Model: s.name, Waiting: len(s.waiters), RetryAfter: queueRetry}
	}
	w := &waiter{done: make(chan struct{})}
	s.waiters = append(s.waiters, w)
	if s.run == nil && s.load == nil {
		s.begin(context.WithoutCancel(ctx), 0)
	}
	s.takeTicket()
	ahead := 0
	for _, l := range p.line {
		if l.ticket < s.ticket {
			ahead++
		}
	}
	p.cfg.Logger.InfoContext(ctx, "a request waits for a model", "request_id", requestid.From(ctx), "model", s.name, "place", len(s.waiters), "loads_ahead", ahead)
	p.changed()
	return nil, w, nil
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
		s.ticket = s.pool.tickets
	}
}

// settle ends the waiting of all: with err, or with a lease each. The pool's mutex is held.
func (s *slot) settle(err error) {
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
