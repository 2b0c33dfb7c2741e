package server_test

import (
	"testing"
	"time"

	"mlxbar/backend/datadir"
	"mlxbar/backend/engine"
	"mlxbar/backend/models"
	"mlxbar/backend/testkit"
)

// Settings of the engines take effect at once too: with the real engine, a model that
// is to be preloaded is loaded, and one that is loaded starts again as it is now set.
func TestChangedEngineSettingsReachTheEngine(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.paths = datadir.At(testkit.Prepared(t))
	h.opts.DataDir = h.paths.Root
	h.start()
	ready := func(but int) int {
		t.Helper()
		for deadline := time.Now().Add(4 * testkit.Patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			for _, e := range h.status().Engines {
				if e.Model == models.StarterName && e.State == engine.Ready && e.PID != but {
					return e.PID
				}
			}
		}
		t.Fatalf("the engine was never ready: %+v", h.status().Engines)
		return 0
	}
	ask := func() {
		t.Helper()
		h.text(h.request("POST", "/v1/completions", `{"model": "`+models.StarterName+`", "prompt": "Hello", "max_tokens": 4}`), 200)
	}
	h.text(h.request("PATCH", "/api/settings", `{"engines": {"preload": ["`+models.StarterName+`"]}}`), 200)
	first := ready(0)
	ask()
	h.text(h.request("PATCH", "/api/settings", `{"timeouts": {"idle": "1m"}}`), 200) // none of the engine's
	if pid := ready(0); pid != first {
		t.Errorf("a change of something else restarted the engine: %d, then %d", first, pid)
	}
	h.text(h.request("PATCH", "/api/settings", `{"engines": {"llamacpp": {"context_size": 512}}}`), 200)
	ready(first)
	ask()
}
