package engine

import (
	"context"
	"log/slog"
)

// Config is what a pool needs.
type Config struct {
	Library Library
	Engine  Engine
	Source  Source // may be nil
	LogDir  string
	Logger  *slog.Logger
	// OnChange hears, from one goroutine and some moments later, that States
	// has changed; may be nil.
	OnChange func()
}

// Pool is the engines of all models.
type Pool struct{ cfg Config }

// NewPool makes a pool with nothing loaded.
func NewPool(cfg Config) *Pool { return &Pool{cfg: cfg} }

// Acquire leases the engine of model, which is loaded if it is not; all who ask
// meanwhile wait for the same load. Errors: ErrUnknownModel, ErrClosed, *LoadError, ctx's.
func (p *Pool) Acquire(ctx context.Context, model string) (*Lease, error) {
	return nil, ErrUnknownModel
}

// Load starts to load model and does not wait for it. Errors: ErrUnknownModel, ErrClosed.
func (p *Pool) Load(model string) error { return ErrUnknownModel }

// Preload loads models ahead of their first request; what fails is logged.
func (p *Pool) Preload(models []string) {}

// Unload ends the engine of model after the requests that it answers, or as soon
// as ctx ends. A model that is not loaded is no error.
func (p *Pool) Unload(ctx context.Context, model string) error { return nil }

// States gives the status of every model that was asked for, by name.
func (p *Pool) States() []Status { return nil }

// Close ends every child and waits for it. ctx bounds how gently.
func (p *Pool) Close(ctx context.Context) error { return nil }
