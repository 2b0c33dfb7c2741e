package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/wailsapp/wails/v2/pkg/runtime"

	"mlxbar/backend/audit"
	"mlxbar/backend/audit/export"
	"mlxbar/backend/desktop"
)

// App is what the page may ask of the program around it. Everything else it asks of the server.
type App struct {
	host *desktop.Host

	ctx     context.Context // the window's, from startup on
	stop    context.CancelFunc
	work    sync.WaitGroup
	release func() error

	askWhere func(context.Context, runtime.SaveDialogOptions) (string, error) // the system's save dialog
}

func newApp(host *desktop.Host) *App { return &App{host: host, askWhere: runtime.SaveFileDialog} }

// startup brings up what the window needs around it: the tray, which keeps the server running,
// and the server itself, should there be no tray on this desktop.
func (a *App) startup(ctx context.Context) {
	a.ctx, a.stop = context.WithCancel(ctx)
	release, err := a.host.HoldWindow(a.ctx)
	if err != nil { // then Quit in the tray cannot close the window, and nothing else is lost
		slog.Error("the window could not be noted", "cause", err)
	}
	a.release = release
	a.work.Go(func() {
		if err := a.host.Launch("mlxbar-tray"); err != nil {
			slog.Error("the tray did not start", "cause", err)
		}
		if _, err := a.host.Ensure(a.ctx); err != nil && !errors.Is(err, desktop.ErrNotRunning) {
			slog.Error("the server did not start", "cause", err)
			runtime.EventsEmit(a.ctx, "server:failed", err.Error())
		}
	})
	a.work.Go(func() {
		err := a.host.Watch(a.ctx, func(s desktop.State) { runtime.EventsEmit(a.ctx, "server:state", s) })
		if err != nil {
			slog.Error("the server is not watched", "cause", err)
		}
	})
}

func (a *App) show(ctx context.Context) {
	runtime.WindowShow(ctx)
	runtime.WindowUnminimise(ctx) // on Linux this is what brings it to the front
}

func (a *App) shutdown() {
	a.stop()
	a.work.Wait()
	if a.release != nil {
		if err := a.release(); err != nil {
			slog.Error("the window's note stays behind", "cause", err)
		}
	}
}

// ServerState tells how the server fares. Changes come as the event server:state.
func (a *App) ServerState() (desktop.State, error) { return a.host.Observe(a.ctx), nil }

// StartServer starts the server, also after it was stopped on purpose.
func (a *App) StartServer() (desktop.State, error) {
	if _, err := a.host.Start(a.ctx); err != nil {
		return desktop.State{}, err
	}
	return a.host.Observe(a.ctx), nil
}

// StopServer drains the server; it stays stopped until somebody starts it.
func (a *App) StopServer() (desktop.State, error) {
	if err := a.host.Stop(a.ctx); err != nil {
		return desktop.State{}, err
	}
	return a.host.Observe(a.ctx), nil
}

// ExportAudit asks where to save and writes the records that filter matches there, from the
// database itself: the server need not run. The path is "" when the person thought better of it.
func (a *App) ExportAudit(format string, filter map[string]string) (string, error) {
	as, err := export.ParseFormat(format)
	if err != nil {
		return "", err
	}
	which, faults := audit.ParseFilter(func(name string) string { return filter[name] })
	if len(faults) > 0 {
		return "", faults[0]
	}
	dest, err := a.askWhere(a.ctx, runtime.SaveDialogOptions{
		Title:                "Export audit",
		DefaultFilename:      "mlxbar-audit-" + time.Now().Format("2006-01-02") + as.Extension(),
		Filters:              []runtime.FileFilter{{DisplayName: string(as), Pattern: "*" + as.Extension()}},
		CanCreateDirectories: true,
	})
	if err != nil {
		return "", fmt.Errorf("ask where to save: %w", err)
	}
	if dest == "" {
		return "", nil
	}
	if err := a.host.FlushAudit(a.ctx); err != nil {
		slog.Warn("the export takes what is on the disk", "cause", err)
	}
	_, err = export.File(a.ctx, a.host.Paths.Database, dest, as, which, nil)
	return dest, err
}

// CopyText puts text on the clipboard.
func (a *App) CopyText(text string) error { return runtime.ClipboardSetText(a.ctx, text) }

// OpenDataFolder shows the data folder in the system's file manager.
func (a *App) OpenDataFolder() error { return desktop.System().Open(a.ctx, a.host.Paths.Root) }
