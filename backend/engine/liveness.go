package engine

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	gopsutil "github.com/shirou/gopsutil/v4/process"
)

// vitals are what tells of a child's life.
type vitals struct {
	beats *atomic.Uint64 // tokens and whole answers that requests had of it
	wake  chan struct{}  // the machine was away: ask at once
}

func newVitals() vitals { return vitals{beats: new(atomic.Uint64), wake: make(chan struct{}, 1)} }

// liveness is what is known of one child's life so far.
type liveness struct {
	*slot
	run    *incarnation
	beats  uint64
	proven time.Time // when it last made a token
	misses int
}

// probeUntilGone asks the child now and then whether it is well, and ends one that is not. It says what was
// wrong with it, nil if it ended by itself.
func (s *slot) probeUntilGone(run *incarnation) (ill error) {
	l := liveness{slot: s, run: run, proven: time.Now()}
	ticker := time.NewTicker(s.pool.timing.probeEvery)
	defer ticker.Stop()
	for {
		woke := false
		select {
		case <-run.Gone():
			return ill
		case <-run.wake:
			woke = true
		case <-ticker.C:
		}
		err := l.look(woke)
		if ill != nil || s.pool.ctx.Err() != nil {
			continue // until it has gone
		}
		switch {
		case err == nil:
			l.misses = 0
		case errors.Is(err, errUndecided):
		default:
			l.misses++
		}
		if errors.Is(err, errStranger) || l.misses >= s.pool.timing.probeMisses {
			run.note("does not answer any more (%v); killing it", err)
			ill = err
			run.Kill()
		}
	}
}

// errUndecided is a probe that tells nothing: a request came between.
var errUndecided = errors.New("a request came between")

// look asks once, by what disturbs least. Tokens that flow are proof of life. While requests get none yet, such as
// during a long prompt, only whether the work goes on is asked: a token would have to wait behind them. An idle child is
// asked for a token now and then, at once when it has been ill or the machine away.
func (l *liveness) look(woke bool) error {
	t := l.pool.timing
	ctx, cancel := context.WithTimeout(l.pool.ctx, t.probeTimeout)
	defer cancel()
	beats, asking := l.run.beats.Load(), l.inFlight(l.run)
	flowed := beats != l.beats
	l.beats = beats
	switch {
	case flowed && !woke:
		l.proven = time.Now()
		return nil
	case asking > 0:
		return l.working(ctx)
	}
	err := l.run.known(ctx, l.run.baseURL)
	if err == nil && (woke || l.misses > 0 || time.Since(l.proven) >= t.tokenEvery) {
		if err = l.token(); err == nil {
			l.proven = time.Now()
		}
	}
	if err != nil && !errors.Is(err, errStranger) && (l.inFlight(l.run) > 0 || l.run.beats.Load() != beats) {
		return fmt.Errorf("%w: %w", errUndecided, err)
	}
	return err
}

func (l *liveness) token() error {
	ctx, cancel := context.WithTimeout(l.pool.ctx, l.pool.timing.tokenTimeout)
	defer cancel()
	return l.run.token(ctx, l.run.baseURL)
}

// working holds that a child that requests wait for is at work: it says so, or its processor time does, for one
// step of a large model can take longer than anybody waits for an answer.
func (l *liveness) working(ctx context.Context) error {
	began, spent := time.Now(), processorTime(l.run.PID())
	err := l.run.known(ctx, l.run.baseURL)
	if err == nil {
		err = l.run.turning(ctx, l.run.baseURL)
	}
	if errors.Is(err, context.DeadlineExceeded) && processorTime(l.run.PID())-spent > time.Since(began)/5 {
		return nil
	}
	return err
}

// processorTime is what a process has had so far; 0 when it has just ended.
func processorTime(pid int) time.Duration {
	times, err := (&gopsutil.Process{Pid: int32(pid)}).Times()
	if err != nil {
		return 0
	}
	return time.Duration((times.User + times.System) * float64(time.Second))
}

// inFlight counts the requests that have a lease of run.
func (s *slot) inFlight(run *incarnation) int {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	return run.inFlight
}
