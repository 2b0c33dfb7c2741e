package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mlxbar/backend/models"
	"mlxbar/backend/units"
)

// Limits bound a pool; zero bounds nothing.
type Limits struct {
	Memory  int64         // bytes that models may take together
	Machine int64         // bytes that the machine can give, of which Memory is a share
	Idle    time.Duration // after which a model that nobody asks for is unloaded
	Queue   int           // requests that may wait for one model's load
}

// Need is what a model is expected to take once it is loaded.
type Need struct {
	Bytes  int64
	Tokens int64 // of context that Bytes counts, those of all requests at once; 0 where only weights are counted
	// Advice is a sentence on how the model would need less; "" when there is no such way.
	Advice string
}

// Memory is what models take of this machine, and may take.
type Memory struct {
	LimitBytes   int64 `json:"limit_bytes" doc:"What models may take together: the share engines.memory_percent of machine_bytes; 0 where the system does not tell how much memory there is, and nothing is limited."`
	UsedBytes    int64 `json:"used_bytes" doc:"What those that are loaded or being loaded take: of each the estimate, or what it holds where that is more."`
	MachineBytes int64 `json:"machine_bytes" doc:"What the machine can give: its memory, or what its system lets a GPU or this server have of it."`
}

// Memory tells how much models take and may take.
func (p *Pool) Memory() Memory {
	limits := p.limits()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.measure()
	return Memory{LimitBytes: limits.Memory, UsedBytes: p.charged(nil, nil), MachineBytes: limits.Machine}
}

// Need is the estimate for model that decides whether there is room for it.
func (p *Pool) Need(model models.Model) Need {
	if p.cfg.Need == nil {
		return Need{Bytes: model.Size}
	}
	return p.cfg.Need(model)
}

// Reconsider has changed settings of memory, of pinned models and of single ones count for who waits, and for who
// was refused for want of memory.
func (p *Pool) Reconsider() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.slots {
		if s.run == nil && s.load == nil && s.failure != nil && errors.Is(s.failure, ErrTooLarge) {
			s.failure = nil
			s.set(Idle, "")
		}
	}
	p.arrange()
	p.changed()
}

func (p *Pool) limits() Limits {
	if p.cfg.Limits == nil {
		return Limits{}
	}
	return p.cfg.Limits()
}

func (p *Pool) pinned(s *slot) bool { return p.cfg.Pinned != nil && p.cfg.Pinned(s.name) }

// charge is what the slot takes of the memory for models. The pool's mutex is held.
func (s *slot) charge() int64 {
	switch {
	case s.run != nil:
		return max(s.run.need, s.run.held)
	case s.load != nil && s.load.admitted:
		return s.load.need.Bytes
	}
	return 0
}

// charged is what all slots take but one, or those of them that which holds for. The pool's mutex is held.
func (p *Pool) charged(but *slot, which func(*slot) bool) (bytes int64) {
	for _, s := range p.slots {
		if s != but && (which == nil || which(s)) {
			bytes += s.charge()
		}
	}
	return bytes
}

// measure looks how much the children hold, which the estimate may have been too low for. The pool's mutex is held.
func (p *Pool) measure() {
	for _, s := range p.slots {
		if s.run != nil {
			s.run.held = int64(resident(s.run.PID()))
		}
	}
}

// room waits until there is memory for model, whose load this is. Its error is a *LoadError when there never will
// be, or ctx's.
func (s *slot) room(ctx context.Context, model models.Model) error {
	p := s.pool
	need := p.Need(model)
	p.mu.Lock()
	l := s.load
	l.need, l.turn = need, make(chan error, 1)
	at, _ := slices.BinarySearchFunc(p.line, l, func(a, b *load) int { return cmp.Compare(a.ticket, b.ticket) })
	p.line = slices.Insert(p.line, at, l)
	p.arrange()
	if slices.Contains(p.line, l) {
		s.set(Loading, "Waiting for memory")
	}
	p.mu.Unlock()
	select {
	case err := <-l.turn:
		return err
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line = slices.DeleteFunc(p.line, func(o *load) bool { return o == l })
	p.arrange()
	return ctx.Err()
}

// arrange lets loads begin that there is room for, first come, first served: who is first and too large for what is
// free has other models unloaded, and nobody overtakes it. It is called whenever something may have become free.
// The pool's mutex is held.
func (p *Pool) arrange() {
	if p.closed || len(p.line) == 0 {
		return
	}
	p.measure()
	for len(p.line) > 0 {
		l, limit := p.line[0], p.limits().Memory
		if refusal := p.refusal(l.slot, l.need); refusal != nil {
			p.line = p.line[1:]
			l.turn <- refusal
			continue
		}
		missing := p.charged(l.slot, nil) + l.need.Bytes - limit
		if limit > 0 && missing > 0 {
			p.makeRoom(l, missing)
			return
		}
		p.line = p.line[1:]
		l.admitted = true
		l.turn <- nil
	}
}

// refusal is why need can never be met, beside the pinned models that are loaded, or nil. The pool's mutex is held.
func (p *Pool) refusal(s *slot, need Need) error {
	limits := p.limits()
	kept := p.charged(s, p.pinned)
	if limits.Memory <= 0 || need.Bytes <= limits.Memory-kept {
		return nil
	}
	reason := fmt.Sprintf("It is expected to take %s, and models may take %s together, of the %s that this machine can give.", units.Bytes(need.Bytes), units.Bytes(limits.Memory), units.Bytes(limits.Machine))
	if need.Bytes <= limits.Memory {
		reason = fmt.Sprintf("It is expected to take %s, and of the %s that models may take together, pinned ones that are loaded take %s.", units.Bytes(need.Bytes), units.Bytes(limits.Memory), units.Bytes(kept))
	}
	if need.Advice != "" {
		reason += " " + need.Advice
	}
	return &LoadError{Model: s.name, Reason: reason, Cause: ErrTooLarge}
}

// tooLarge is refusal for a model that is not being loaded yet.
func (p *Pool) tooLarge(s *slot) error {
	model, err := p.cfg.Library.Find(s.name)
	if err != nil {
		return nil // the load says what is wrong
	}
	need := p.Need(model)
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.run != nil {
		return nil
	}
	return p.refusal(s, need)
}

// makeRoom has models unloaded until so many bytes more will be free: those that answer nothing before those that
// do, which are waited for, and among each the one first that was used least lately. The pool's mutex is held.
func (p *Pool) makeRoom(l *load, missing int64) {
	var candidates []*slot
	for _, s := range p.slots {
		switch {
		case s == l.slot || s.run == nil:
		case !s.answers():
			missing -= s.charge() // it is on its way
		case !p.pinned(s):
			candidates = append(candidates, s)
		}
	}
	slices.SortFunc(candidates, func(a, b *slot) int {
		return cmp.Or(cmp.Compare(min(a.run.inFlight, 1), min(b.run.inFlight, 1)), a.lastUse().Compare(b.lastUse()))
	})
	for _, s := range candidates {
		if missing <= 0 {
			return
		}
		missing -= s.charge()
		s.evict("to make room for "+l.slot.name, s.run.inFlight)
	}
}

// lastUse is when a request last began or ended, or the child did begin. The pool's mutex is held.
func (s *slot) lastUse() time.Time {
	if s.used.After(s.run.started) {
		return s.used
	}
	return s.run.started
}

// evict ends the child after what it answers, for however long that takes. The pool's mutex is held.
func (s *slot) evict(why string, answering int) {
	run, p := s.run, s.pool
	s.keep = false
	s.retire(run)
	s.set(Ready, "Unloading")
	p.cfg.Logger.Info("a model is unloaded", "model", s.name, "why", why, "in_flight", answering)
	p.work.Go(func() { s.drain(p.ctx, run) })
}

// tend unloads what has been idle for too long.
func (p *Pool) tend() {
	ticker := time.NewTicker(p.timing.tendEvery)
	defer ticker.Stop()
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-ticker.C:
			p.unloadIdle()
		}
	}
}

func (p *Pool) unloadIdle() {
	longest := p.limits().Idle
	if longest <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	for _, s := range p.slots {
		if s.answers() && s.run.inFlight == 0 && !p.pinned(s) && p.now().Sub(s.lastUse()) >= longest {
			s.evict("nobody asked for it", 0)
		}
	}
}
