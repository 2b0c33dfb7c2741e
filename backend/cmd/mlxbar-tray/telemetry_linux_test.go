package main

import (
	"strings"
	"testing"

	"mlxbar/backend/testkit/collector"
)

func TestTrayTellsOfTheServerThatItStartsAndStops(t *testing.T) {
	to, err := collector.New()
	if err != nil {
		t.Fatal(err)
	}
	defer to.Stop()
	d := newDesk(t)
	d.env = []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + to.URL()}
	tray := d.start("mlxbar-tray")
	icon := d.bar.Icon()
	d.wait(icon, "(Running · ")
	icon.Click("Stop")
	d.wait(icon, "(Stopped)")
	icon.Click("Quit")
	if err := tray.Wait(); err != nil {
		t.Errorf("the tray ended with %v", err)
	}
	for _, name := range []string{"start server", "stop server", "drain server"} {
		if spans := to.Spans(name); len(spans) != 1 || spans[0].Failed || spans[0].EndNanos <= spans[0].StartNanos {
			t.Errorf("%s: %+v", name, spans)
		}
	}
}

func TestTrayShowsWhatIsWrongWithTheEnvironmentAndGoesOn(t *testing.T) {
	d := newDesk(t)
	d.start("mlxbar", "serve") // with a right one, so that it runs
	d.Eventually("the server", func() bool { _, err := d.host.Find(t.Context()); return err == nil })
	d.env = []string{"OTEL_TRACES_SAMPLER=often", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9"}
	tray := d.start("mlxbar-tray")
	icon := d.bar.Icon()
	d.Eventually("the menu to say it beside a server that runs", func() bool {
		menu := icon.Menu()
		return strings.HasPrefix(menu, "(Running · ") && strings.Contains(menu, "OTEL_TRACES_SAMPLER=often")
	})
	icon.Click("Quit")
	if err := tray.Wait(); err != nil {
		t.Errorf("the tray ended with %v", err)
	}
}
