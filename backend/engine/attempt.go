package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"gopkg.in/natefinch/lumberjack.v2"

	"mlxbar/backend/engine/runtime"
	"mlxbar/backend/models"
)

// attempt gets a child ready, from what may have to be installed to its first
// answer. Its error is a *LoadError, or context.Canceled.
func (s *slot) attempt(ctx, asked context.Context, after time.Duration) (_ *incarnation, err error) {
	if after > 0 {
		s.tell(Loading, "Starting again")
	}
	select {
	case <-time.After(after):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	cfg := s.pool.cfg
	if cfg.Observer != nil {
		ended := cfg.Observer.Loading(asked, s.name, s.runner())
		defer func() { ended(err) }()
	}
	installing := func(detail string) { s.tell(Installing, detail) }
	if _, ok := s.pool.offered(s.name); ok {
		if err := cfg.Source.Fetch(ctx, installing); err != nil {
			return nil, s.failed(ctx, "The model could not be fetched.", err)
		}
	}
	model, err := cfg.Library.Find(s.name)
	if errors.Is(err, models.ErrUnknown) { // it was there when the model was loaded before
		return nil, s.failed(ctx, "The model's file is not there any more.", err)
	}
	if err != nil {
		return nil, s.failed(ctx, "The model's file cannot be used.", err)
	}
	engine, err := s.use(model)
	if err != nil {
		return nil, err
	}
	if err := engine.Prepare(ctx, installing); err != nil {
		return nil, s.failed(ctx, "The engine could not be installed.", err)
	}
	if err := s.room(ctx, model); err != nil {
		return nil, err
	}
	s.tell(Loading, "")
	spec, err := engine.Launch(model)
	if err != nil {
		return nil, s.failed(ctx, "The engine could not be started.", err)
	}
	return s.launch(ctx, spec)
}

// use gives the engine for model, whose file may have been replaced by one of
// another format since the last load.
func (s *slot) use(model models.Model) (Engine, error) {
	engine, err := s.pool.engine(s.name, model.Format)
	if err != nil {
		return nil, err
	}
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	s.engine = engine
	return engine, nil
}

// runner names the engine that is to run the model.
func (s *slot) runner() string {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	return s.engine.Name()
}

func (s *slot) launch(ctx context.Context, spec Spec) (*incarnation, error) {
	t := s.pool.timing
	child, err := startProcess(spec, s.log)
	if err != nil {
		return nil, s.failed(ctx, "The engine could not be started.", err)
	}
	if dir := s.pool.cfg.RunDir; dir != "" {
		if err := child.mark(dir); err != nil {
			s.pool.cfg.Logger.Warn("an engine could not be marked; if this server is killed, the next one may not find it", "model", s.name, "err", err)
		}
	}
	timeout := spec.StartTimeout
	if timeout == 0 {
		timeout = t.startTimeout
	}
	base, err := child.waitReady(ctx, timeout)
	if err == nil {
		return newIncarnation(child, base, s.pool.now()), nil
	}
	child.stop(context.WithoutCancel(ctx), t.stopGrace)
	if ctx.Err() != nil {
		return nil, context.Canceled
	}
	failure := &LoadError{Model: s.name, Cause: fmt.Errorf("%w: %s", err, child.State())}
	if failure.Reason = child.explained(); failure.Reason == "" {
		failure.Reason, failure.Tail, failure.unexplained = child.whyNot(err, timeout), child.tail(), true
	}
	return nil, failure
}

// explained is what the engine itself says of a start that failed, as a sentence of our own; "" when that says nothing known.
func (p *process) explained() string {
	if p.spec.Explain == nil {
		return ""
	}
	return p.spec.Explain(p.lastLines())
}

// whyNot puts a start that failed into a sentence of our own.
func (p *process) whyNot(err error, timeout time.Duration) string {
	switch {
	case errors.Is(err, errTooSlow):
		return fmt.Sprintf("The engine was not ready within %s.", timeout)
	case errors.Is(err, errStranger):
		return "Another program answers at the engine's address."
	case errors.Is(err, errForeignAddress):
		return "The engine announced an address that is not on this machine."
	case errors.Is(err, errGone) && p.Killed():
		return "The engine was killed while it loaded the model; memory may be short."
	}
	return "The engine ended while it loaded the model; its log says why."
}

// failed makes a *LoadError; what set-up says of itself is more exact than reason.
func (s *slot) failed(ctx context.Context, reason string, err error) error {
	if ctx.Err() != nil {
		return context.Canceled
	}
	var own *LoadError
	if errors.As(err, &own) {
		return own
	}
	var setup *runtime.Error
	if errors.As(err, &setup) {
		return &LoadError{Model: s.name, Reason: setup.Problem, Cause: setup.Cause}
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		reason = diskFull
	}
	return &LoadError{Model: s.name, Reason: reason, Cause: err}
}

const diskFull = "The disk is full, so that what starts the engine could not be written to it. Make room and load the model again."

const maxLogName = 120

// openLog names the rotated log of a model; it is made with its first line.
func openLog(dir, name string) *lumberjack.Logger {
	name = strings.ReplaceAll(name, "/", "--") // of a model that goes by its publisher
	if len(name) > maxLogName {                // a file system's limit, with room for the rotation's date
		sum := sha256.Sum256([]byte(name))
		name = name[:maxLogName] + "-" + hex.EncodeToString(sum[:4])
	}
	return &lumberjack.Logger{Filename: filepath.Join(dir, "engine-"+name+".log"), MaxSize: 5, MaxBackups: 2}
}
