package routing

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"mlxbar/backend/settings"
)

const (
	// failuresInRow open a target's circuit; openFor is how long it then is left alone before one
	// request tries it again.
	failuresInRow = 5
	openFor       = 30 * time.Second
	// idleFor is after how long without a request a target is forgotten.
	idleFor = time.Hour
)

// Router knows how its targets fare: how many requests each serves, and whether it failed so often that
// it is better left alone for a while. It is safe for concurrent use and runs nothing of its own.
type Router struct {
	now    func() time.Time
	random func(n int) int

	mu      sync.Mutex
	targets map[key]*state
	swept   time.Time
}

// Outcome is what an attempt tells of its target.
type Outcome int

// The outcomes. That a client left, or that the target refused the request, says nothing of how it fares.
const (
	Answered Outcome = iota
	Failed
	Nothing
)

// key names a target: one model of one provider, so that a model that is gone does not close the way to
// the others.
type key struct{ provider, address, model string }

type state struct {
	running  int
	breaker  *gobreaker.TwoStepCircuitBreaker[struct{}]
	openedAt time.Time // of the last opening
	used     time.Time
}

// NewRouter makes a router that knows of no failure.
func NewRouter() *Router {
	return &Router{now: time.Now, random: rand.IntN, targets: map[key]*state{}}
}

func keyOf(d Destination) key {
	k := key{model: d.Model}
	if d.Provider != nil {
		k.provider, k.address = d.Provider.Name, d.Provider.BaseURL
	}
	return k
}

// Begin notes that d is asked; ok is false when its circuit has opened since the plan was made, or when
// another request is at trying it again. done is called once, with how it went.
func (r *Router) Begin(d Destination) (done func(Outcome), ok bool) {
	s := r.state(d)
	report, err := s.breaker.Allow()
	if err != nil {
		return nil, false
	}
	r.mu.Lock()
	s.running++
	r.mu.Unlock()
	return func(how Outcome) {
		r.mu.Lock()
		s.running--
		s.used = r.now()
		r.mu.Unlock()
		report(map[Outcome]error{Answered: nil, Failed: errFailed, Nothing: errNothing}[how])
	}, true
}

// load is how many requests d serves, and until when its circuit is open; zero when it is not.
func (r *Router) load(d Destination) (running int, until time.Time) {
	r.mu.Lock()
	s := r.targets[keyOf(d)]
	r.mu.Unlock()
	if s == nil {
		return 0, time.Time{}
	}
	open := s.breaker.State() == gobreaker.StateOpen // it may take the lock to note its opening
	r.mu.Lock()
	defer r.mu.Unlock()
	if open {
		until = s.openedAt.Add(openFor)
	}
	return s.running, until
}

// Opened is a model of a provider that is left alone because it failed too often, and until when.
type Opened struct {
	Model string
	Until time.Time
}

// Opened lists the targets of p whose circuits are open, by the model's name there.
func (r *Router) Opened(p *settings.Provider) (list []Opened) {
	of := keyOf(Destination{Provider: p})
	var models []string
	r.mu.Lock()
	for k := range r.targets {
		if k.provider == of.provider && k.address == of.address {
			models = append(models, k.model)
		}
	}
	r.mu.Unlock()
	slices.Sort(models)
	for _, model := range models {
		if _, until := r.load(Destination{Provider: p, Model: model}); !until.IsZero() {
			list = append(list, Opened{model, until})
		}
	}
	return list
}

func (r *Router) state(d Destination) *state {
	k := keyOf(d)
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	r.sweep(now)
	s := r.targets[k]
	if s == nil {
		s = &state{}
		s.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
			MaxRequests: 1, Timeout: openFor,
			IsExcluded:    func(err error) bool { return errors.Is(err, errNothing) },
			ReadyToTrip:   func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= failuresInRow },
			OnStateChange: func(_ string, _, to gobreaker.State) { r.noteState(s, to) },
		})
		r.targets[k] = s
	}
	s.used = now
	return s
}

func (r *Router) noteState(s *state, to gobreaker.State) {
	if to == gobreaker.StateOpen {
		r.mu.Lock()
		defer r.mu.Unlock()
		s.openedAt = r.now()
	}
}

// sweep forgets, with the lock held, targets that nobody asks any more: names of models are made up by
// clients.
func (r *Router) sweep(now time.Time) {
	if now.Sub(r.swept) < idleFor/4 {
		return
	}
	r.swept = now
	for k, s := range r.targets {
		if s.running == 0 && now.Sub(s.used) > idleFor {
			delete(r.targets, k)
		}
	}
}
