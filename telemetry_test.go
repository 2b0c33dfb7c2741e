package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wailsapp/wails/v2/pkg/runtime"

	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/collector"
)

func TestTheWindowTellsOfItsOpeningAndItsExports(t *testing.T) {
	to, err := collector.New()
	if err != nil {
		t.Fatal(err)
	}
	defer to.Stop()
	t.Setenv("LOGFIRE_TOKEN", "")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", to.URL())
	dest := filepath.Join(t.TempDir(), "a person's own name.csv")
	app := exporter(t, func(runtime.SaveDialogOptions) (string, error) { return dest, nil })
	close(app.drawn)
	app.startTelling()
	if done, err := app.ExportAudit("csv", nil); err != nil || done.Records != 2 {
		t.Fatalf("%+v, %v", done, err)
	}
	dest = filepath.Join(dest, "below a file.csv")
	if _, err := app.ExportAudit("csv", nil); err == nil {
		t.Error("exported into what is no folder")
	}
	app.tell.log().Error("something failed")
	app.tell.end()

	opened, exports := to.Spans("open window"), to.Spans("export audit")
	if len(opened) != 1 || opened[0].EndNanos <= opened[0].StartNanos {
		t.Errorf("of the opening: %+v", opened)
	}
	if len(exports) != 2 || exports[0].Attributes["mlxbar.export.records"] != "2" || exports[0].Failed || !exports[1].Failed {
		t.Errorf("of the exports: %+v", exports)
	}
	if lines := to.Lines(); len(lines) == 0 || lines[len(lines)-1].Body != "something failed" {
		t.Errorf("lines: %+v", lines)
	}
	if to.Resource("service.name") != "mlxbar-app" || strings.Contains(to.Text(), "own name") {
		t.Errorf("it tells %s", to.Text())
	}
}

func TestTheWindowSaysWhatIsWrongWithTheEnvironment(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost")
	app := exporter(t, func(runtime.SaveDialogOptions) (string, error) { return "", nil })
	said := make(chan string, 1)
	app.warn = func(_ context.Context, _, text string) { said <- text }
	close(app.drawn)
	app.startTelling()
	if text := testkit.Receive(t, said); !strings.Contains(text, "OTEL_EXPORTER_OTLP_ENDPOINT") {
		t.Errorf("it says %q", text)
	}
	if done, err := app.ExportAudit("csv", nil); err != nil || !done.Cancelled { // and goes on
		t.Errorf("%+v, %v", done, err)
	}
	app.tell.end()
}
