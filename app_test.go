package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wailsapp/wails/v2/pkg/runtime"

	"mlxbar/backend/audit"
	"mlxbar/backend/desktop"
	"mlxbar/backend/storage"
)

// exporter is the facade over a data folder with two records, whose server does not run; the save
// dialog answers with what choose gives.
func exporter(t *testing.T, choose func(runtime.SaveDialogOptions) (string, error)) *App {
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
	for _, model := range []string{"near", "far"} {
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
		path, err := app.ExportAudit(c.format, c.filter)
		if err != nil || path != dest {
			t.Fatalf("%s: %q, %v", c.format, path, err)
		}
		if today := time.Now().Format("2006-01-02"); asked.DefaultFilename != "mlxbar-audit-"+today+"."+c.format {
			t.Errorf("the dialog proposes %q", asked.DefaultFilename)
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
			_, err := app.ExportAudit(c.format, c.filter)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want an error that says %q", err, c.want)
			}
		})
	}
}
