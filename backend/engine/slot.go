package engine

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
	"gopkg.in/natefinch/lumberjack.v2"
)

// slot is one model's place in the pool. The pool's mutex guards it.
//
// At most one of run and load is set. What happens when a child dies unasked: it is
// started again at once, then after a growing pause, if it was answering or is to
// be kept loaded; else the next request starts it. After too many deaths in a while
// the slot has failed, and says so until the pause is over.
type slot struct {
	pool *Pool
	name string
	log  *lumberjack.Logger

	engine Engine // as the model's format was when it was last looked at
	state  State
	detail string
	run    *incarnation
	load   *load
	keep   bool // start it again when it dies, even when nobody is asking

	waiters []*waiter // for the load that runs or is to come, in the order in which they came
	ticket  uint64    // of the first of them; 0 for none
	asked   time.Time // when that was given
	pace    pace      // of the queues that there were
	used    time.Time // when a request last began or ended

	deaths  []time.Time // unasked, within the window
	failure *LoadError
	retryAt time.Time // until then failure is the answer
	pause   *backoff.ExponentialBackOff
}

// incarnation is a child that is ready.
type incarnation struct {
	*process
	vitals
	baseURL  string
	started  time.Time
	need     int64 // bytes that it was expected to take
	held     int64 // bytes that it held when last measured
	inFlight int
	retiring bool          // no new leases; it ends when the last one does
	idle     chan struct{} // closed when it is retiring and nothing is in flight
	over     chan struct{} // closed when it has ended and the slot knows
}

func newIncarnation(child *process, baseURL string, started time.Time) *incarnation {
	return &incarnation{process: child, vitals: newVitals(), baseURL: baseURL, started: started, idle: make(chan struct{}), over: make(chan struct{})}
}

// load is one attempt to get a child ready.
type load struct {
	slot   *slot
	done   chan struct{}
	cancel context.CancelFunc
	again  bool // cancelled only to be begun anew
	wanted bool // also when no request waits for it
	left   bool // cancelled because nobody waited for it any more

	ticket   uint64     // its place among those that need room
	need     Need       // valid once turn is there
	turn     chan error // hears once that there is room, or why there never will be
	admitted bool       // need counts from here on
}

var errUnloaded = errors.New("unloaded while it loaded")

func newSlot(p *Pool, name string, engine Engine) *slot {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval, pause.Multiplier = p.timing.retryMin, p.timing.retryMax, 2
	pause.Reset()
	return &slot{pool: p, name: name, engine: engine, state: Idle, pause: pause, log: openLog(p.cfg.LogDir, name)}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// start begins a load that a person asked for: now, not after the pause.
func (s *slot) start() error {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	if s.pool.closed {
		return ErrClosed
	}
	if s.run == nil && s.load == nil {
		s.failure = nil
		s.begin(context.Background(), 0)
	}
	if s.load != nil {
		s.load.wanted = true
	}
	return nil
}

// begin starts a load after a pause, for whom asked tells of. The pool's mutex is held.
func (s *slot) begin(asked context.Context, after time.Duration) {
	ctx, cancel := context.WithCancel(s.pool.ctx)
	s.takeTicket()
	l := &load{slot: s, done: make(chan struct{}), cancel: cancel, wanted: len(s.waiters) == 0, ticket: s.ticket}
	s.load = l
	s.set(Loading, "")
	s.pool.work.Go(func() {
		defer cancel()
		run, err := s.attempt(ctx, asked, after)
		s.loaded(l, run, err)
	})
}

// set changes what the status tells. The pool's mutex is held.
func (s *slot) set(state State, detail string) {
	s.state, s.detail = state, detail
	s.pool.changed()
}

// tell is set for who does not hold the mutex and reports on a load.
func (s *slot) tell(state State, detail string) {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	if s.load != nil {
		s.set(state, detail)
	}
}

// loaded ends a load: everybody who waits for it learns how it went.
func (s *slot) loaded(l *load, run *incarnation, err error) {
	p := s.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	defer close(l.done)
	defer p.arrange()
	s.load = nil
	if err == nil {
		run.need = l.need.Bytes
		s.run, s.failure = run, nil
		s.set(Ready, "")
		p.work.Go(func() { s.watch(run) })
		if p.closed { // Close came between the child's first answer and here
			s.retire(run)
			p.work.Go(func() { run.stop(p.ctx, p.timing.stopGrace) })
			return
		}
		s.settle(nil)
		return
	}
	var failure *LoadError
	if errors.As(err, &failure) {
		s.failToLoad(failure)
		return
	}
	s.set(Idle, "")
	switch {
	case l.left && len(s.waiters) > 0 && !p.closed: // somebody came just then
		s.begin(context.Background(), 0)
	case !l.again:
		s.settle(&LoadError{Model: s.name, Reason: "The model was unloaded while it loaded.", Cause: errUnloaded})
	}
}

// watch follows a child to its end and decides what comes after it.
func (s *slot) watch(run *incarnation) {
	ill := s.probeUntilGone(run)
	<-run.Drained()
	p := s.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	defer close(run.over)
	defer p.arrange()
	s.run = nil
	if run.retiring || p.closed {
		s.set(Idle, "")
		if len(s.waiters) > 0 && !p.closed {
			s.begin(context.Background(), 0)
		}
		return
	}
	answering := run.inFlight
	p.cfg.Logger.Warn("an engine ended unasked", "model", s.name, "pid", run.PID(), "exit", run.Exit(), "hung", ill != nil, "why", ill, "in_flight", answering)
	if p.cfg.Observer != nil {
		p.cfg.Observer.Crashed(s.name, s.engine.Name())
	}
	if p.now().Sub(run.started) > p.timing.window {
		s.deaths = nil
		s.pause.Reset()
	}
	switch {
	case s.tooManyDeaths():
		s.giveUp("", run.tail(), run.Exit())
	case answering == 0 && len(s.waiters) == 0 && !s.keep && !p.pinned(s) && ill == nil:
		s.set(Idle, "")
	case len(s.deaths) == 1:
		s.begin(context.Background(), 0)
	default:
		s.begin(context.Background(), s.pause.NextBackOff())
	}
}

// unload ends what the slot runs or loads; with again it is then loaded anew.
func (s *slot) unload(ctx context.Context, again bool) {
	p := s.pool
	p.mu.Lock()
	s.keep = s.keep && again
	s.failure, s.deaths = nil, nil
	s.pause.Reset()
	run, l := s.run, s.load
	switch {
	case run != nil && !run.retiring:
		s.retire(run)
		s.set(Ready, "Unloading")
	case l != nil:
		l.again = again
	case run == nil:
		s.set(Idle, "")
	}
	p.mu.Unlock()
	if l != nil {
		l.cancel()
		<-l.done
		run = s.retired() // it may have become ready just then, and have been leased
	}
	if run != nil {
		patience, cancel := context.WithTimeout(ctx, p.timing.drain)
		defer cancel()
		s.drain(patience, run)
	}
	if again && (run != nil || l != nil) {
		s.start() // refuses only when the pool is closed
	}
}

// drain waits for what run answers, until ctx ends, and ends it.
func (s *slot) drain(ctx context.Context, run *incarnation) {
	select {
	case <-run.idle:
	case <-run.Gone():
	case <-ctx.Done():
	case <-s.pool.ctx.Done():
	}
	run.stop(context.WithoutCancel(ctx), s.pool.timing.stopGrace)
	<-run.over
}

// end stops the child without waiting for what it answers.
func (s *slot) end(ctx context.Context) {
	if run := s.retired(); run != nil {
		run.stop(ctx, s.pool.timing.stopGrace)
		<-run.over
	}
}

// retired retires the child that is there, if any, and gives it.
func (s *slot) retired() *incarnation {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	if s.run != nil && !s.run.retiring {
		s.retire(s.run)
	}
	return s.run
}

// retire lets nobody else have a lease of run. The pool's mutex is held.
func (s *slot) retire(run *incarnation) {
	run.retiring = true
	if run.inFlight == 0 {
		close(run.idle)
	}
}

// status is the slot's part of States, as it was last measured. The pool's mutex is held.
func (s *slot) status() Status {
	st := Status{Model: s.name, Engine: s.engine.Name(), State: s.state, Detail: s.detail, Pinned: s.pool.pinned(s), Queued: len(s.waiters), Charged: s.charge()}
	if s.state == Failed && s.failure != nil {
		st.Log = s.failure.Tail
	}
	if !s.used.IsZero() {
		st.LastUsed = s.used.UTC().Format(time.RFC3339)
	}
	if s.run != nil {
		st.PID, st.InFlight, st.Slots, st.MemoryBytes = s.run.PID(), s.run.inFlight, s.run.spec.Slots, uint64(s.run.held)
		if st.Slots > 0 {
			st.Waiting = max(0, st.InFlight-st.Slots)
		}
	}
	return st
}
