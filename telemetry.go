package main

import (
	"context"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/wailsapp/wails/v2/pkg/runtime"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"mlxbar/backend/desktop"
	"mlxbar/backend/telemetry"
)

// telling is what the window tells of itself. It starts when the page is there, since a person
// waits for that and not for this; until then there are no spans, and lines go to stderr alone.
type telling struct {
	began  time.Time
	local  slog.Handler
	tel    atomic.Pointer[telemetry.Telemetry]
	logger atomic.Pointer[slog.Logger]
}

func newTelling() *telling {
	t := &telling{began: time.Now(), local: slog.NewTextHandler(os.Stderr, nil)}
	t.logger.Store(slog.New(t.local))
	return t
}

func (t *telling) log() *slog.Logger { return t.logger.Load() }

func (t *telling) span(ctx context.Context, name string, attributes ...attribute.KeyValue) (context.Context, trace.Span) {
	return t.tel.Load().Span(ctx, name, trace.WithAttributes(attributes...))
}

// start begins to tell, and tells how long the window took to open.
func (t *telling) start(ctx context.Context, drawn time.Time) error {
	tel, err := telemetry.Start(ctx, telemetry.Config{Service: "mlxbar-app", Version: desktop.Version, Log: slog.New(t.local)})
	if err != nil {
		return err
	}
	t.tel.Store(tel)
	t.logger.Store(slog.New(tel.Handler(t.local)))
	_, span := tel.Span(ctx, "open window", trace.WithTimestamp(t.began))
	span.End(trace.WithTimestamp(drawn))
	return nil
}

// endPatience is short: no second window opens while this program ends.
const endPatience = 500 * time.Millisecond

// end sends what is left, once the window is gone from the screen.
func (t *telling) end() {
	tel := t.tel.Load()
	if tel == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), endPatience)
	defer cancel()
	if err := tel.Shutdown(ctx); err != nil {
		slog.New(t.local).Warn("not all telemetry was delivered", "cause", err)
	}
}

// startTelling waits for the page, and says in a dialog what is wrong with the environment: a
// person who asked for telemetry has to hear that there is none.
func (a *App) startTelling() {
	select {
	case <-a.drawn:
	case <-a.ctx.Done():
		return
	}
	err := a.tell.start(a.ctx, time.Now())
	if err == nil || a.ctx.Err() != nil {
		return
	}
	a.tell.log().Error("the window tells nothing of itself", "cause", err)
	// The dialog lasts as long as the person lets it.
	go a.warn(a.ctx, "mlxbar is open without telemetry", "This window sends no telemetry, and all else works as ever.\n\n"+err.Error())
}

// showWarning is a dialog of the system.
func showWarning(ctx context.Context, title, text string) {
	_, err := runtime.MessageDialog(ctx, runtime.MessageDialogOptions{Type: runtime.WarningDialog, Title: title, Message: text})
	if err != nil {
		slog.Error("a warning could not be shown", "cause", err)
	}
}
