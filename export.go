package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/wailsapp/wails/v2/pkg/runtime"
	"go.opentelemetry.io/otel/attribute"

	"mlxbar/backend/audit"
	"mlxbar/backend/audit/export"
	"mlxbar/backend/ledger"
	"mlxbar/backend/telemetry"
)

// Exported says how an export ended.
type Exported struct {
	Path      string `json:"path"`    // "" when there is no file
	Records   int64  `json:"records"` // in the file
	Cancelled bool   `json:"cancelled"`
}

// ExportProgress is the data of the event export:progress.
type ExportProgress struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"` // 0 until it is known
}

const progressEvent = "export:progress"

// progressEvery keeps a long export from being busy with telling of itself; App.every is it.
const progressEvery = 100 * time.Millisecond

// errExporting refuses a second export while one runs.
var errExporting = errors.New("another export is still running")

// exporting is the export that runs, if one does.
type exporting struct {
	mu     sync.Mutex
	cancel context.CancelFunc
}

func (e *exporting) begin(cancel context.CancelFunc) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cancel != nil {
		return errExporting
	}
	e.cancel = cancel
	return nil
}

func (e *exporting) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cancel = nil
}

// ExportAudit asks where to save and writes the records that filter matches there, from the
// database itself: the server need not run. How far it is comes as the event export:progress. A
// person may think better of it, in the dialog or later with CancelExport; that is no error.
func (a *App) ExportAudit(format string, filter map[string]string) (Exported, error) {
	as, err := export.ParseFormat(format)
	if err != nil {
		return Exported{}, err
	}
	which, faults := audit.ParseFilter(func(name string) string { return filter[name] })
	if len(faults) > 0 {
		return Exported{}, faults[0]
	}
	return a.exportAs("audit", as, func(ctx context.Context, dest string) (Exported, error) {
		return a.writeAudit(ctx, dest, as, which)
	})
}

// ExportLedger does the same with the ledger, a line for each day and provider of the days that period
// (from, to, zone) chooses.
func (a *App) ExportLedger(format string, period map[string]string) (Exported, error) {
	as, err := export.ParseFormat(format)
	if err != nil {
		return Exported{}, err
	}
	days, faults := ledger.ParsePeriod(func(name string) string { return period[name] }, time.Now())
	if len(faults) > 0 {
		return Exported{}, faults[0]
	}
	query, err := ledger.NewQuery(days, a.host.Paths.Prices, a.host.Paths.Settings)
	if err != nil {
		return Exported{}, err
	}
	return a.exportAs("ledger", as, func(ctx context.Context, dest string) (Exported, error) {
		n, err := export.LedgerFile(ctx, a.host.Paths.Database, dest, as, query)
		return Exported{Path: dest, Records: n}, err
	})
}

// exportAs asks where to save what is called that, and has it written there.
func (a *App) exportAs(what string, as export.Format, write func(ctx context.Context, dest string) (Exported, error)) (Exported, error) {
	dest, err := a.askWhere(a.ctx, runtime.SaveDialogOptions{
		Title:                "Export " + what,
		DefaultFilename:      "mlxbar-" + what + "-" + time.Now().Format("2006-01-02") + as.Extension(),
		Filters:              []runtime.FileFilter{{DisplayName: string(as), Pattern: "*" + as.Extension()}},
		CanCreateDirectories: true,
	})
	if err != nil {
		return Exported{}, fmt.Errorf("ask where to save: %w", err)
	}
	if dest == "" {
		return Exported{Cancelled: true}, nil
	}
	ctx, cancel := context.WithCancel(a.ctx)
	defer cancel()
	if err := a.export.begin(cancel); err != nil {
		return Exported{}, err
	}
	defer a.export.end()
	// A window that closes meanwhile waits until nothing half-written is left.
	a.work.Add(1)
	defer a.work.Done()
	return a.exportTo(ctx, dest, what, as, write)
}

func (a *App) exportTo(ctx context.Context, dest, what string, as export.Format, write func(ctx context.Context, dest string) (Exported, error)) (done Exported, err error) {
	ctx, span := a.tell.span(ctx, "export "+what, attribute.String("mlxbar.export.format", string(as)))
	defer func() {
		span.SetAttributes(attribute.Int64("mlxbar.export.records", done.Records), attribute.Bool("mlxbar.export.cancelled", done.Cancelled))
		telemetry.End(span, err)
	}()
	if err := a.host.FlushAudit(ctx); err != nil && ctx.Err() == nil {
		a.tell.log().Warn("the export takes what is on the disk", "cause", err)
	}
	done, err = write(ctx, dest)
	switch {
	case ctx.Err() != nil && err != nil:
		return Exported{Cancelled: true}, nil
	case err != nil:
		slog.Error("an export failed", "cause", err) // here only: the path is a person's own
		return Exported{}, plainly(dest, err)
	}
	a.emit(a.ctx, progressEvent, ExportProgress{done.Records, done.Records})
	return done, nil
}

func (a *App) writeAudit(ctx context.Context, dest string, as export.Format, which audit.Filter) (Exported, error) {
	total := a.count(ctx, which)
	told := time.Now()
	n, err := export.File(ctx, a.host.Paths.Database, dest, as, which, func(done int64) {
		if time.Since(told) >= a.every {
			told = time.Now()
			a.emit(a.ctx, progressEvent, ExportProgress{done, total()})
		}
	})
	return Exported{Path: dest, Records: n}, err
}

// plainly says what a person can do about a file that did not fit. The log has the cause.
func plainly(dest string, err error) error {
	folder := filepath.Dir(dest)
	switch {
	case errors.Is(err, export.ErrDiskFull):
		return fmt.Errorf("the disk of %s is full, and no file was written. Make room, or choose another disk, and export again", folder)
	case errors.Is(err, export.ErrTooLarge):
		return fmt.Errorf("the disk of %s takes no file as large as this one, and none was written. Choose another disk, or narrow the export down by filters", folder)
	}
	return err
}

// count counts what the export will write, while it writes: of a million records that takes a
// moment. What it gives tells of 0 until then.
func (a *App) count(ctx context.Context, which audit.Filter) (total func() int64) {
	counted := make(chan int64, 1)
	a.work.Go(func() {
		n, err := export.Count(ctx, a.host.Paths.Database, which)
		if err != nil {
			if ctx.Err() == nil {
				a.tell.log().Warn("how much there is to export is not known", "cause", err)
			}
			return
		}
		counted <- n
	})
	var n int64
	return func() int64 {
		select {
		case n = <-counted:
		default:
		}
		return n
	}
}

// CancelExport ends the export that runs, if one does; nothing of its file stays.
func (a *App) CancelExport() error {
	a.export.mu.Lock()
	defer a.export.mu.Unlock()
	if a.export.cancel != nil {
		a.export.cancel()
	}
	return nil
}
