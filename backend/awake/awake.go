// Package awake keeps the machine from going to sleep by itself while models answer on it, and only then.
package awake

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	// lingers is how long the machine is still kept awake after the last answer, so that one request after the other
	// does not have it held and let go each time.
	lingers  = 10 * time.Second
	holdTime = 5 * time.Second
)

// Config is what a keeper needs.
type Config struct {
	// Wanted says whether the machine is to be kept awake at all.
	Wanted func() bool
	Logger *slog.Logger
	// Hold keeps the machine awake until release is called, or the process ends. Nil is the system's own way.
	Hold func(context.Context) (release func() error, err error)
	// Lingers is for tests; 0 is the usual 10 s.
	Lingers time.Duration
}

// Keeper counts what runs, and keeps the machine awake meanwhile.
type Keeper struct {
	cfg     Config
	running atomic.Int64
	changed chan struct{}
}

// New makes a keeper; Run has it work.
func New(cfg Config) *Keeper {
	if cfg.Hold == nil {
		cfg.Hold = hold
	}
	if cfg.Lingers == 0 {
		cfg.Lingers = lingers
	}
	return &Keeper{cfg: cfg, changed: make(chan struct{}, 1)}
}

// Begin tells that a request runs. Like End it stands in the request's way and never waits.
func (k *Keeper) Begin() {
	if k.running.Add(1) == 1 {
		k.Refresh()
	}
}

// End tells that it has ended.
func (k *Keeper) End() {
	if k.running.Add(-1) == 0 {
		k.Refresh()
	}
}

// Refresh has the keeper look anew, also at whether it is wanted.
func (k *Keeper) Refresh() {
	select {
	case k.changed <- struct{}{}:
	default:
	}
}

// Run holds and lets go until ctx ends, and lets go then.
func (k *Keeper) Run(ctx context.Context) {
	h := holding{cfg: k.cfg}
	defer h.letGo()
	idle := time.NewTimer(k.cfg.Lingers)
	defer idle.Stop()
	for {
		expired := false
		select {
		case <-ctx.Done():
			return
		case <-k.changed:
		case <-idle.C:
			expired = true
		}
		busy := k.running.Load() > 0
		switch {
		case !k.cfg.Wanted():
			h.letGo()
		case busy:
			h.hold(ctx)
		case expired:
			h.letGo()
		default:
			idle.Reset(k.cfg.Lingers)
		}
	}
}

// holding is what is held, if anything.
type holding struct {
	cfg     Config
	release func() error
	failed  bool // and it was said
}

func (h *holding) hold(ctx context.Context) {
	if h.release != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, holdTime)
	defer cancel()
	release, err := h.cfg.Hold(ctx)
	if err != nil {
		if !h.failed {
			h.failed = true
			h.cfg.Logger.Warn("the machine cannot be kept awake while models answer; it may go to sleep in the middle of an answer", "cause", err)
		}
		return
	}
	h.release, h.failed = release, false
}

func (h *holding) letGo() {
	if h.release == nil {
		return
	}
	if err := h.release(); err != nil {
		h.cfg.Logger.Warn("the machine may be kept awake for longer than it should", "cause", err)
	}
	h.release = nil
}
