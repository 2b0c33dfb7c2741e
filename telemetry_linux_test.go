package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"mlxbar/backend/testkit/collector"
)

// app starts mlxbar-app with more in its environment.
func (n *native) app(env ...string) *exec.Cmd {
	n.t.Helper()
	app := n.Command(filepath.Join(n.bin, "mlxbar-app"), "--data-dir", n.host.Paths.Root)
	app.Env = append(app.Env, env...)
	app.Stderr = os.Stderr
	if err := app.Start(); err != nil {
		n.t.Fatal(err)
	}
	return app
}

func TestTheRealWindowTellsOfItself(t *testing.T) {
	to, err := collector.New()
	if err != nil {
		t.Fatal(err)
	}
	defer to.Stop()
	n := newNative(t)
	app := n.app("OTEL_EXPORTER_OTLP_ENDPOINT=" + to.URL())
	var window string
	n.Eventually("the window", func() bool { window = n.window("^mlxbar$"); return window != "" })
	// Closed before its first batch would have been due, it still tells of itself.
	n.Eventually("the tray, which comes once the page is drawn", func() bool { return len(n.Programs("mlxbar-tray")) == 1 })
	n.quit(app, window)
	if spans := to.Spans("open window"); len(spans) != 1 || spans[0].EndNanos <= spans[0].StartNanos {
		t.Errorf("it tells %+v", spans)
	}
}

func TestTheRealWindowShowsWhatIsWrongWithTheEnvironment(t *testing.T) {
	n := newNative(t)
	n.app("OTEL_EXPORTER_OTLP_ENDPOINT=localhost:4318")
	var dialog string
	n.Eventually("the dialog", func() bool { dialog = n.window("without telemetry"); return dialog != "" })
	n.keep("root", "without telemetry.png")
}
