package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"runtime/debug"
	"time"

	"gopkg.in/natefinch/lumberjack.v2"

	"mlxbar/backend/audit"
	"mlxbar/backend/awake"
	"mlxbar/backend/datadir"
	"mlxbar/backend/engine"
	"mlxbar/backend/engine/runtime"
	"mlxbar/backend/live"
	"mlxbar/backend/models"
	"mlxbar/backend/prices"
	"mlxbar/backend/settings"
	"mlxbar/backend/storage"
)

// retainEvery is how often old records are cleared away.
const retainEvery = time.Hour

// openData makes the folder, takes its lock and opens the log and the token.
func (s *Server) openData(context.Context) error {
	if err := s.paths.EnsureDirs(); err != nil {
		return err
	}
	unlock, err := lock(s.paths)
	if err != nil {
		return err
	}
	s.onClose(unlock)
	if err := forgetLastRun(s.paths); err != nil {
		return err
	}
	s.openLog()
	s.token, err = ensureToken(s.paths.AdminToken)
	return err
}

// openLog writes the log to a rotated file, and to the terminal if there is one.
func (s *Server) openLog() {
	file := &lumberjack.Logger{Filename: s.paths.Log, MaxSize: 10, MaxBackups: 3}
	s.onClose(file.Close)
	var w io.Writer = file
	if s.opts.LogToStderr {
		w = io.MultiWriter(file, s.opts.Stderr)
	}
	s.log = slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: s.opts.LogLevel}))
}

func (s *Server) openSettings(context.Context) error {
	manager, err := settings.Open(s.paths.Settings)
	if err != nil {
		return err
	}
	s.settings = manager
	forget := manager.OnProblem(func(err error) {
		var unwatched *settings.UnwatchedError
		if errors.As(err, &unwatched) {
			s.log.Error("settings.json is not watched; trying again", "cause", unwatched.Cause)
		}
	})
	s.onClose(func() error { forget(); return nil })
	return nil
}

// openPrices reads what providers charge. A file that cannot be used stops nothing: costs are not known then,
// and the status says why.
func (s *Server) openPrices(context.Context) error {
	s.prices = prices.Open(s.paths.Prices, func(err error) {
		if err != nil {
			s.log.Error("the prices are not in force as they stand in prices.json", "cause", err)
		}
		s.publishState()
	})
	if err := s.prices.Problem(); err != nil {
		s.log.Error("no cost is known, because prices.json cannot be used", "cause", err)
	}
	return nil
}

// background has work done beside all else, and returns what ends it.
func background(work func(context.Context)) (end func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		work(ctx)
	}()
	return func() error { cancel(); <-ended; return nil }
}

func (s *Server) openAudit(ctx context.Context) error {
	current := s.settings.Current()
	strict := current.Audit.Durability == settings.Strict
	db, err := storage.Open(ctx, s.paths.Database, storage.Options{Strict: strict})
	if err != nil {
		return err
	}
	s.db = db
	s.onClose(db.Close)
	s.records = audit.NewStore(db)
	if n, err := s.records.MarkInterrupted(ctx); err != nil {
		return err
	} else if n > 0 {
		s.log.Warn("an earlier run was cut short", "interrupted_requests", n)
	}
	s.hub = live.NewHub()
	s.recorder, err = audit.NewRecorder(ctx, db, audit.Options{
		Strict:   strict,
		OnBegin:  func(r audit.Record) { s.hub.PublishFixed(live.RequestStart, r) },
		OnEnd:    func(r audit.Record) { s.hub.PublishFixed(live.RequestEnd, r) },
		OnHealth: func(error) { s.publishState() },
		OnBatch:  s.instruments.Written,
		Log:      s.log,
	})
	if err != nil {
		return err
	}
	s.onClose(s.closeAudit)
	unsubscribe := s.settings.Subscribe(func(_, now settings.Settings) {
		s.recorder.SetStrict(now.Audit.Durability == settings.Strict)
		s.publishState()
	})
	forget := s.settings.OnProblem(func(error) { s.publishState() })
	s.onClose(func() error { unsubscribe(); forget(); return nil })
	s.onClose(background(s.retain))
	s.onClose(background(s.runDeletions))
	return nil
}

func (s *Server) closeAudit() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	return s.recorder.Close(ctx)
}

// retain clears old records away now and then.
func (s *Server) retain(ctx context.Context) {
	for {
		limits := s.settings.Current().Audit
		if _, err := s.records.Retain(ctx, limits.RetentionDays, limits.MaxSizeMB, time.Now()); err != nil && ctx.Err() == nil {
			s.log.Error("old records could not be cleared away", "cause", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(retainEvery):
		}
	}
}

func (s *Server) openEngines(context.Context) error {
	s.library = models.NewLibrary(s.paths.Models, func() []string { return s.settings.Current().Models.Folders })
	s.trash = models.NewTrash(s.library)
	s.onClose(background(func(ctx context.Context) { s.trash.Run(ctx, s.log) }))
	source := runtime.Starter{DataDir: s.paths.Root}
	s.models = models.NewCatalog(s.library, source)
	s.awake = awake.New(awake.Config{Wanted: func() bool { return s.settings.Current().Engines.KeepAwake }, Logger: s.log})
	s.onClose(background(s.awake.Run))
	after := aftermath{giveBack: debug.FreeOSMemory}
	s.pool = engine.NewPool(engine.Config{
		Library:  s.library,
		Engines:  s.engines(),
		Source:   source,
		LogDir:   s.paths.Logs,
		RunDir:   filepath.Join(s.paths.Run, "engines"),
		Logger:   s.log,
		Observer: s.instruments,
		Limits:   s.engineLimits,
		Need:     s.need,
		Pinned:   func(model string) bool { return s.settings.Current().Models.Of(model).Pin },
		Busy:     s.awake,
		OnChange: func() {
			after.see(s.publishState().Engines)
		},
	})
	s.onClose(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), closeTime)
		defer cancel()
		return s.pool.Close(ctx)
	})
	s.onClose(s.followEngineSettings())
	return nil
}

// Prepare makes runtime and starter model ready ahead of time, as `mlxbar setup`
// does; with further, that of engines which otherwise come with their first model, too. report hears what is being done.
func Prepare(ctx context.Context, dataDir string, further bool, report func(string)) error {
	if err := datadir.At(dataDir).EnsureDirs(); err != nil {
		return err
	}
	if _, err := runtime.Ensure(ctx, dataDir, runtime.LlamaCPP, report); err != nil {
		return fmt.Errorf("runtime llamacpp: %w", err)
	}
	if err := (runtime.Starter{DataDir: dataDir}).Verify(ctx, report); err != nil {
		return fmt.Errorf("starter model: %w", err)
	}
	if further {
		if _, err := runtime.Ensure(ctx, dataDir, runtime.MLX, report); err != nil {
			return fmt.Errorf("runtime mlx: %w", err)
		}
	}
	return nil
}

func (s *Server) publish(kind string, data any) {
	if err := s.hub.Publish(kind, data); err != nil {
		s.log.Error("a live event was lost", "cause", err)
	}
}
