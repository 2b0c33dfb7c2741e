package server_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mlxbar/backend/admin"
	"mlxbar/backend/datadir"
	"mlxbar/backend/engine"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/models"
	"mlxbar/backend/testkit"
)

func (h *house) activity() admin.Activity {
	h.t.Helper()
	var a admin.Activity
	if err := json.Unmarshal([]byte(h.text(h.request("GET", "/api/activity", ""), 200)), &a); err != nil {
		h.t.Fatal(err)
	}
	return a
}

// untilActivity waits for an activity that is so.
func (s *events) untilActivity(is func(admin.ActivityEvent) bool) (last admin.ActivityEvent) {
	s.t.Helper()
	s.until("activity", func(data string) bool {
		last = admin.ActivityEvent{}
		if err := json.Unmarshal([]byte(data), &last); err != nil {
			s.t.Fatalf("%v in %s", err, data)
		}
		return is(last)
	})
	return last
}

// With the real engine: what a running answer does shows, and cancelling it ends it there too.
func TestARunningAnswerIsSeenAndCancelled(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.paths = datadir.At(testkit.Prepared(t))
	h.opts.DataDir = h.paths.Root
	h.start()
	h.client.Timeout = 8 * testkit.Patience // the model is loaded first
	live := h.listen("")
	resp := h.request("POST", "/v1/completions", `{"model": "`+models.StarterName+`", "prompt": "Once", "max_tokens": 6000, "ignore_eos": true, "stream": true}`)
	rest := firstEvent(t, resp)
	streaming := make(chan string, 1)
	go func() { raw, _ := io.ReadAll(rest); streaming <- string(raw) }()

	var engineOf admin.EngineActivity
	seen := live.untilActivity(func(a admin.ActivityEvent) bool {
		for _, engineOf = range a.Engines {
			if engineOf.CPUPercent > 0 && len(a.Running) == 1 && a.Running[0].Tokens > 5 {
				return true
			}
		}
		return false
	})
	r := seen.Running[0]
	if r.RequestID != resp.Header.Get("X-Request-ID") || r.Model != models.StarterName || r.Provider != "llamacpp" || r.Bytes < 100 || r.TTFTMS == nil || r.Phase != "streaming" {
		t.Errorf("the running request is %+v", r)
	}
	if engineOf.Model != models.StarterName || engineOf.State != engine.Ready || engineOf.PID == 0 || engineOf.MemoryBytes < 1<<20 {
		t.Errorf("its engine is %+v", engineOf)
	}
	if seen.Machine.MemoryTotalBytes == 0 || seen.Machine.CPUCount == 0 || seen.Process.MemoryBytes == 0 || seen.At.IsZero() {
		t.Errorf("the machine is %+v, the server %+v", seen.Machine, seen.Process)
	}
	now := h.activity()
	requests, tokens := int64(0), int64(0)
	for _, p := range now.History {
		requests, tokens = requests+p.Requests, tokens+p.Tokens
	}
	if len(now.History) != 120 || requests != 1 || tokens < r.Tokens || len(now.Running) != 1 {
		t.Errorf("%d points tell of %d requests and %d tokens; running is %+v", len(now.History), requests, tokens, now.Running)
	}

	h.text(h.request("POST", "/api/requests/"+r.RequestID+"/cancel", ""), http.StatusAccepted)
	if raw := testkit.Receive(t, streaming); !strings.Contains(raw, `"type":"/problems/cancelled"`) || strings.Contains(raw, "[DONE]") {
		t.Errorf("the stream ended with %q", raw[max(0, len(raw)-400):])
	}
	if e := live.until("request.end", nil); !strings.Contains(e.data, `"status":"cancelled"`) {
		t.Errorf("listeners hear %s", e.data)
	}
	eventually(t, "the engine has stopped", func() bool {
		log, err := os.ReadFile(filepath.Join(h.paths.Logs, "engine-"+models.StarterName+".log"))
		return err == nil && strings.Contains(string(log), "stop processing")
	})
	h.problem(h.request("POST", "/api/requests/"+r.RequestID+"/cancel", ""), problem.NotFound)
	if now := h.activity(); len(now.Running) != 0 {
		t.Errorf("still running are %+v", now.Running)
	}
}

// Who shows no activity, as the tray, has nothing measured. Both listen until the server ends, and
// none is told of by an event that counts.
func TestActivityGoesToWhoWantsIt(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.start()
	wants := h.listen("")
	resp := h.request("GET", "/api/live?activity=false", "")
	for range 2 {
		wants.untilActivity(func(a admin.ActivityEvent) bool { return a.Point.At.Second()%5 == 0 })
	}
	h.text(h.chat("ok", false), 200)
	if e := wants.until("activity", nil); e.id != "" {
		t.Errorf("it has the id %s", e.id)
	}
	h.stop()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || strings.Contains(string(raw), "event: activity") || !strings.Contains(string(raw), "event: request.end") {
		t.Errorf("who wants none hears %s, %v", raw, err)
	}
}
