package main

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"mlxbar/backend/desktop"
	"mlxbar/backend/telemetry"
)

// telling is what the tray tells of itself. It starts beside the icon, which waits for nothing.
type telling struct {
	local   slog.Handler
	tel     atomic.Pointer[telemetry.Telemetry]
	logger  atomic.Pointer[slog.Logger]
	warning chan string // what is wrong with the environment, if anything is
	work    sync.WaitGroup
}

func startTelling(ctx context.Context) *telling {
	t := &telling{local: slog.NewTextHandler(os.Stderr, nil), warning: make(chan string, 1)}
	t.logger.Store(slog.New(t.local))
	t.work.Go(func() {
		tel, err := telemetry.Start(ctx, telemetry.Config{Service: "mlxbar-tray", Version: desktop.Version, Log: slog.New(t.local)})
		if err != nil {
			t.log().Error("the tray tells nothing of itself", "cause", err)
			t.warning <- err.Error()
			return
		}
		t.tel.Store(tel)
		t.logger.Store(slog.New(tel.Handler(t.local)))
	})
	return t
}

func (t *telling) log() *slog.Logger { return t.logger.Load() }

// did tells of what has been done: when it began, there may have been nobody to tell.
func (t *telling) did(ctx context.Context, what string, began time.Time, err error) {
	_, span := t.tel.Load().Span(ctx, what, trace.WithTimestamp(began))
	telemetry.End(span, err)
}

func (t *telling) end() {
	t.work.Wait()
	tel := t.tel.Load()
	if tel == nil {
		return
	}
	if err := tel.Close(); err != nil {
		slog.New(t.local).Warn("not all telemetry was delivered", "cause", err)
	}
}

// tracedHost is the server with a span for what takes it up and down.
type tracedHost struct {
	*desktop.Host
	tell *telling
}

func (h tracedHost) Start(ctx context.Context) (desktop.Server, error) {
	began := time.Now()
	s, err := h.Host.Start(ctx)
	h.tell.did(ctx, "start server", began, err)
	return s, err
}

func (h tracedHost) Stop(ctx context.Context) error {
	began := time.Now()
	err := h.Host.Stop(ctx)
	h.tell.did(ctx, "stop server", began, err)
	return err
}

func (h tracedHost) Drain(ctx context.Context) error {
	began := time.Now()
	err := h.Host.Drain(ctx)
	h.tell.did(ctx, "drain server", began, err)
	return err
}
