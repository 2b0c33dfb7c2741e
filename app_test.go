package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wailsapp/wails/v2/pkg/runtime"

	"mlxbar/backend/audit"
	"mlxbar/backend/audit/export"
	"mlxbar/backend/desktop"
	"mlxbar/backend/storage"
)

// exporter is the facade over a data folder with two records, whose server does not run; the save
// dialog answers with what choose gives.
func exporter(t *testing.T, choose func(runtime.SaveDialogOptions) (string, error)) *App {
	t.Helper()
	return exporterOf(t, []string{"near", "far"}, choose)
}

// exporterOf is exporter with a record of each of models.
func exporterOf(t *testing.T, models []string, choose func(runtime.SaveDialogOptions) (string, error)) *App {
	t.Helper()
	host := desktop.NewHost(filepath.Join(t.TempDir(), "data folder"))
	t.Cleanup(host.Close)
	if err := host.Paths.EnsureDirs(); err != nil {
		t.Fatal(err)
	}
	db, err := storage.Open(t.Context(), host.Paths.Database, storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	recorder, err := audit.NewRecorder(t.Context(), db, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, model := range models {
		record := audit.Record{
			RequestID: "req-" + model, StartedAt: time.Now(), Model: model, Backend: audit.Local, Endpoint: "/v1/chat/completions",
		}
		if err := recorder.Begin(t.Context(), &record); err != nil {
			t.Fatal(err)
		}
		record.Status = audit.Success
		if err := recorder.End(&record); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(recorder.Close(t.Context()), db.Close()); err != nil {
		t.Fatal(err)
	}
	app := newApp(host)
	app.ctx = t.Context()
	app.emit = func(context.Context, string, ...any) {}
	app.askWhere = func(_ context.Context, o runtime.SaveDialogOptions) (string, error) { return choose(o) }
	return app
}

func TestExportWritesWhatTheFilterMatches(t *testing.T) {
	dest := filepath.Join(t.TempDir(), "out")
	var asked runtime.SaveDialogOptions
	app := exporter(t, func(o runtime.SaveDialogOptions) (string, error) { asked = o; return dest, nil })

	for _, c := range []struct {
		format string
		filter map[string]string
		want   string // the models, oldest first
		count  func(t *testing.T, raw string) string
	}{
		{"csv", nil, "near far", modelsOfCSV},
		{"csv", map[string]string{"model": "near"}, "near", modelsOfCSV},
		{"jsonl", nil, "near far", modelsOfJSONL},
		{"jsonl", map[string]string{"status": "error"}, "", modelsOfJSONL},
	} {
		began := time.Now()
		done, err := app.ExportAudit(c.format, c.filter)
		if err != nil || done.Path != dest || done.Cancelled || done.Records != int64(len(strings.Fields(c.want))) {
			t.Fatalf("%s: %+v, %v", c.format, done, err)
		}
		named := func(day time.Time) string { return "mlxbar-audit-" + day.Format("2006-01-02") + "." + c.format }
		if got := asked.DefaultFilename; got != named(began) && got != named(time.Now()) { // a day may have ended meanwhile
			t.Errorf("the dialog proposes %q", got)
		}
		raw, err := os.ReadFile(dest)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.count(t, string(raw)); got != c.want {
			t.Errorf("%s with %v has the models %q, want %q", c.format, c.filter, got, c.want)
		}
	}
}

func modelsOfCSV(t *testing.T, raw string) string {
	rows, err := csv.NewReader(strings.NewReader(raw)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var models []string
	for _, row := range rows[1:] {
		models = append(models, row[3])
	}
	return strings.Join(models, " ")
}

func modelsOfJSONL(t *testing.T, raw string) string {
	var models []string
	for line := range strings.Lines(raw) {
		var record audit.Record
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		models = append(models, record.Model)
	}
	return strings.Join(models, " ")
}

// A long export tells how far it is, and can be cancelled: then nothing of it stays.
func TestALongExportTellsItsProgressAndCanBeCancelled(t *testing.T) {
	folder := t.TempDir()
	dest := filepath.Join(folder, "out.csv")
	const records = 60_000
	app := exporterOf(t, slices.Repeat([]string{"near"}, records), func(runtime.SaveDialogOptions) (string, error) { return dest, nil })
	var told []ExportProgress
	var during func()
	app.emit = func(_ context.Context, event string, data ...any) {
		if event != "export:progress" || len(data) != 1 {
			t.Errorf("event %s with %v", event, data)
		}
		told = append(told, data[0].(ExportProgress))
		if during != nil {
			during()
		}
	}
	left := func() (names []string) {
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	app.every = 0 // tell of each report of the export

	during = func() { // in mid-way
		during = nil
		if _, err := app.ExportAudit("csv", nil); !errors.Is(err, errExporting) {
			t.Errorf("a second export beside the first: %v", err)
		}
		if err := app.CancelExport(); err != nil {
			t.Error(err)
		}
	}
	if done, err := app.ExportAudit("csv", nil); err != nil || done != (Exported{Cancelled: true}) {
		t.Errorf("cancelled it says %+v, %v", done, err)
	}
	if len(told) == 0 || told[len(told)-1].Done >= records || len(left()) != 0 {
		t.Errorf("after %v there is %v", told, left())
	}

	told = nil
	done, err := app.ExportAudit("csv", nil)
	if err != nil || done != (Exported{Path: dest, Records: records}) || fmt.Sprint(left()) != "[out.csv]" {
		t.Errorf("again it says %+v, %v, and there is %v", done, err, left())
	}
	for i, p := range told {
		if i > 0 && p.Done < told[i-1].Done || p.Total != 0 && p.Total != records {
			t.Errorf("the progress went from %+v to %+v", told[max(i-1, 0)], p)
		}
	}
	if last := told[len(told)-1]; last != (ExportProgress{records, records}) {
		t.Errorf("the last progress is %+v", last)
	}
	if err := app.CancelExport(); err != nil { // with none running
		t.Error(err)
	}
}

// A window that is closed ends its export, and leaves nothing of it.
func TestAClosedWindowLeavesNoHalfExport(t *testing.T) {
	folder := t.TempDir()
	app := exporterOf(t, slices.Repeat([]string{"near"}, 20_000), func(runtime.SaveDialogOptions) (string, error) {
		return filepath.Join(folder, "out.csv"), nil
	})
	app.every = 0
	app.ctx, app.stop = context.WithCancel(t.Context())
	closed := make(chan struct{})
	app.emit = func(context.Context, string, ...any) {
		app.stop() // as shutdown does first
	}
	go func() {
		defer close(closed)
		<-app.ctx.Done()
		app.shutdown()
		if entries, err := os.ReadDir(folder); err != nil || len(entries) != 0 {
			t.Errorf("in the folder is %v, %v", entries, err)
		}
	}()
	if done, err := app.ExportAudit("csv", nil); err != nil || !done.Cancelled {
		t.Errorf("it says %+v, %v", done, err)
	}
	<-closed
}

func TestExportSaysWhyItWroteNothing(t *testing.T) {
	gone := filepath.Join(t.TempDir(), "gone", "out.csv")
	for _, c := range []struct {
		name, format string
		filter       map[string]string
		dest         string
		dialog       error
		want         string // "" is no error
	}{
		{name: "the person thought better of it", format: "csv"},
		{name: "no such format", format: "xml", want: "xml"},
		{name: "no such status", format: "csv", filter: map[string]string{"status": "odd"}, want: "status"},
		{name: "no dialog", format: "csv", dialog: errors.New("no screen"), want: "ask where to save: no screen"},
		{name: "no such folder", format: "csv", dest: gone, want: "gone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			app := exporter(t, func(runtime.SaveDialogOptions) (string, error) { return c.dest, c.dialog })
			done, err := app.ExportAudit(c.format, c.filter)
			if done.Path != "" || done.Cancelled != (c.want == "") {
				t.Errorf("it says %+v", done)
			}
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want an error that says %q", err, c.want)
			}
		})
	}
}

func TestAFileThatDoesNotFitIsSaidWithWhatToDo(t *testing.T) {
	for cause, want := range map[error]string{
		export.ErrDiskFull:      "the disk of /home/ada is full, and no file was written. Make room, or choose another disk, and export again",
		export.ErrTooLarge:      "the disk of /home/ada takes no file as large as this one, and none was written. Choose another disk, or narrow the export down by filters",
		errors.New("no screen"): "export to /home/ada/audit.csv: no screen",
	} {
		err := plainly("/home/ada/audit.csv", fmt.Errorf("export to /home/ada/audit.csv: %w", cause))
		if err.Error() != want {
			t.Errorf("of %v it says %q", cause, err)
		}
	}
}

// Before its loop runs the desktop's library takes no notice of being told to close.
func TestAWindowThatIsToldToCloseTooEarlyIsToldAgain(t *testing.T) {
	app := exporter(t, nil)
	told, signal := context.WithCancel(t.Context())
	app.told = told
	asked := 0
	app.leave = func(context.Context) {
		if asked++; asked == 3 {
			app.stop() // as its end does
		}
	}
	signal()
	app.startup(t.Context())
	<-app.ctx.Done()
	app.shutdown()
	if asked != 3 {
		t.Errorf("it was told %d times", asked)
	}
}

// While a dialog is open it never does.
func TestAWindowThatDoesNotCloseIsAbandoned(t *testing.T) {
	app := exporter(t, nil)
	t.Setenv("MLXBAR_BIN", t.TempDir())
	told, signal := context.WithCancel(t.Context())
	app.told, app.patience = told, time.Millisecond
	app.leave = func(context.Context) {}
	ended := make(chan int, 1)
	app.exit = func(code int) { ended <- code }
	if err := app.KeepDraft(`{"local_only":true}`); err != nil {
		t.Fatal(err)
	}
	signal()
	app.startup(t.Context())
	if code := <-ended; code != 0 {
		t.Errorf("it ended with %d", code)
	}
	if draft, err := app.Draft(); err != nil || draft.Change != `{"local_only":true}` {
		t.Errorf("of what was unsaved is left %+v, %v", draft, err)
	}
	app.shutdown()
}

func TestAWindowWhoseSessionWasQuitStartsNothing(t *testing.T) {
	app := exporter(t, nil)
	t.Setenv("MLXBAR_BIN", t.TempDir())
	if err := errors.Join(app.host.Enter(""), desktop.NewHost(app.host.Paths.Root).QuitWindow(t.Context())); err != nil {
		t.Fatal(err)
	}
	app.leave = func(context.Context) { app.stop() }
	app.startup(t.Context())
	<-app.ctx.Done()
	app.shutdown()
	for _, log := range []string{"tray.log", "server.log"} {
		if _, err := os.Stat(filepath.Join(app.host.Paths.Logs, log)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("something was started: %s: %v", log, err)
		}
	}
}

func TestTheLedgerIsExportedFromTheWindow(t *testing.T) {
	dest := filepath.Join(t.TempDir(), "ledger.csv")
	var asked runtime.SaveDialogOptions
	app := exporter(t, func(o runtime.SaveDialogOptions) (string, error) {
		asked = o
		return dest, nil
	})
	done, err := app.ExportLedger("csv", map[string]string{"zone": "UTC"})
	if err != nil || done.Records != 1 || done.Path != dest {
		t.Fatalf("it says %+v, %v", done, err)
	}
	raw, err := os.ReadFile(dest)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(raw))).ReadAll()
	if err != nil || len(rows) != 2 || rows[0][0] != "day" || rows[1][2] != "false" || rows[1][3] != "2" {
		t.Errorf("%v, %q", err, rows)
	}
	if !strings.HasPrefix(asked.DefaultFilename, "mlxbar-ledger-") || asked.Title != "Export ledger" {
		t.Errorf("the dialog was asked for %+v", asked)
	}
	if _, err := app.ExportLedger("csv", map[string]string{"from": "soon"}); err == nil || !strings.Contains(err.Error(), "from") {
		t.Errorf("a day that is none: %v", err)
	}
	if _, err := app.ExportLedger("xml", nil); err == nil {
		t.Error("a format that is none is taken")
	}
}

func TestOfTheModelsFolderAloneAModelsFolderIsOpened(t *testing.T) {
	app := newApp(desktop.NewHost(filepath.Join(t.TempDir(), "data folder")))
	t.Cleanup(app.host.Close)
	models := app.host.Paths.Models
	for model, want := range map[string]string{
		filepath.Join(models, "a.gguf"):                          models,
		filepath.Join(models, "maker", "b"):                      filepath.Join(models, "maker"),
		filepath.Join(models, "..", "settings.json"):             "",
		filepath.Join(app.host.Paths.Root, "models 2", "a.gguf"): "",
		models:         "",
		"a.gguf":       "",
		"":             "",
		"http://h/a.b": "",
	} {
		if folder, err := app.folderOf(model); folder != want || (err != nil) != (want == "") {
			t.Errorf("%q lies in %q, %v; want %q", model, folder, err, want)
		}
	}
}
