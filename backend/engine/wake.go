package engine

import "time"

const (
	wakeEvery = 5 * time.Second
	wakeAfter = 10 * time.Second
)

// away is for how long the machine was away between two looks at the clock that should lie every apart: it
// slept, or its clock was set forward. Asleep, the monotonic clock stands still, by which everything here is timed, so
// that nothing runs out; the wall clock goes on. A machine that is only halted, as virtual ones are, has both go on.
// A clock that was set back is no absence.
func away(before, now time.Time, every time.Duration) time.Duration {
	wall := now.Round(0).Sub(before.Round(0)) // Round strips the monotonic reading
	return max(wall, now.Sub(before)) - every
}

// followSleep has all engines asked at once when the machine has been away: a driver may not have woken, and whoever
// sits down before it asks next.
func (p *Pool) followSleep(clock func() time.Time, tick <-chan time.Time) {
	for before := clock(); ; {
		select {
		case <-p.ctx.Done():
			return
		case <-tick:
		}
		now := clock()
		if gone := away(before, now, wakeEvery); gone > wakeAfter {
			p.cfg.Logger.Info("the machine was away; asking the engines", "for", gone.Round(time.Second).String())
			p.wake()
		}
		before = now
	}
}

// wake has every loaded engine asked for a token now.
func (p *Pool) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.slots {
		if s.run == nil {
			continue
		}
		select {
		case s.run.vitals.wake <- struct{}{}:
		default: // it is about to be
		}
	}
}
