package server_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"mlxbar/backend/activity"
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
	h.client.Timeout = 4 * testkit.Patience
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
	h.text(h.request("PATCH", "/api/settings", `{"models": {"each": [{"name": "`+models.StarterName+`", "preload": true}]}}`), 200)
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

// What waits inside the real engine for a slot is told, and what is told is so: of three that
// ask an engine of one slot, one is answered.
func TestRequestsBeyondTheSlotsAreToldToWait(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.paths = datadir.At(testkit.Prepared(t))
	h.opts.DataDir = h.paths.Root
	h.start()
	h.text(h.request("PATCH", "/api/settings", `{"engines": {"llamacpp": {"parallel": 1}}}`), 200)
	for range 3 {
		ctx, leave := context.WithCancel(t.Context())
		asked := make(chan struct{})
		go func() {
			defer close(asked)
			body := `{"model": "` + models.StarterName + `", "prompt": "A long story", "stream": true, "max_tokens": 4000, "ignore_eos": true}`
			req, err := http.NewRequestWithContext(ctx, "POST", h.url+"/v1/completions", strings.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			req.Header.Set("Content-Type", "application/json")
			resp, err := (&http.Client{Transport: h.client.Transport}).Do(req)
			if err != nil { // it was left before its answer
				return
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("the answer is %s", resp.Status)
			}
			<-ctx.Done()
		}()
		defer func() { leave(); <-asked }()
	}
	var f families
	var streaming int
	eventually(t, "two that wait", func() bool {
		var now struct{ Requests []activity.Running }
		if err := json.Unmarshal([]byte(h.text(h.request("GET", "/api/requests", ""), 200)), &now); err != nil {
			t.Fatal(err)
		}
		streaming = 0
		for _, r := range now.Requests {
			if r.Phase == activity.Streaming {
				streaming++
			}
		}
		f = h.scraped()
		waiting, _ := f.value("mlxbar_engine_waiting", "mlxbar_engine", "llamacpp", "gen_ai_request_model", models.StarterName)
		return waiting == 2 && streaming > 0
	})
	slots, _ := f.value("mlxbar_engine_slots")
	given, _ := f.value("mlxbar_engine_in_flight")
	loading, _ := f.value("mlxbar_requests_waiting")
	if slots != 1 || given != 3 || loading != 0 || streaming != 1 {
		t.Errorf("%g slots, %g in the engine, %g wait for a load, %d are answered; want 1, 3, 0 and 1", slots, given, loading, streaming)
	}
}
