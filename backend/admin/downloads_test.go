package admin_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mlxbar/backend/download"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/testkit"
	fakehub "mlxbar/backend/testkit/hub"
)

func (h *house) download(resp string) (j download.Job) {
	h.t.Helper()
	if err := json.Unmarshal([]byte(resp), &j); err != nil {
		h.t.Fatal(err)
	}
	return j
}

// until asks for the downloads until the only one is as it should be.
func (h *house) until(ready func(download.Job) bool) download.Job {
	h.t.Helper()
	for end := time.Now().Add(testkit.Patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		list := get[struct{ Downloads []download.Job }](h, "/api/downloads").Downloads
		if len(list) == 1 && ready(list[0]) {
			return list[0]
		}
	}
	h.t.Fatal("it is never so")
	return download.Job{}
}

func TestADownloadFromItsBeginningToTheLibrary(t *testing.T) {
	h := newHouse(t)
	hold := make(chan struct{})
	h.hub.Fail("small-Q4_K_M.gguf", fakehub.Fault{Hold: hold})
	j := h.download(h.text(h.request("POST", "/api/downloads", `{"repo": "maker/Small-GGUF", "file": "q4_k_m"}`), 202))
	h.until(func(j download.Job) bool { return j.DoneBytes > 0 })
	path := "/api/downloads/" + j.ID
	if got := h.download(h.text(h.request("POST", path+"/pause", ""), 200)); got.Status != download.Paused {
		t.Errorf("%+v", got)
	}
	close(hold)
	h.text(h.request("POST", path+"/resume", ""), 200)
	if got := h.until(func(j download.Job) bool { return j.Status == download.Done }); got.DoneBytes != 5000 || got.Model != "small-q4_k_m" {
		t.Errorf("%+v", got)
	}
	if info, err := os.Stat(filepath.Join(h.dir, "models", "small-Q4_K_M.gguf")); err != nil || info.Size() != 5000 {
		t.Error(info, err)
	}
	h.problem(h.request("POST", path+"/pause", ""), problem.Conflict)
	if d := h.problem(h.request("POST", "/api/downloads", `{"repo": "maker/Small-GGUF"}`), problem.Conflict); !strings.Contains(d.Detail, "small-Q4_K_M.gguf already") {
		t.Error(d.Detail)
	}
	h.text(h.request("DELETE", path, ""), 204)
}

// With local_only nothing is asked of the Hub at all.
func TestLocalOnlyKeepsTheHubOut(t *testing.T) {
	h := newHouse(t)
	h.text(h.request("PATCH", "/api/settings", `{"local_only": true}`), 200)
	for _, path := range []string{"/api/hub/search?q=small", "/api/hub/files?repo=maker/Small-GGUF"} {
		h.problem(h.request("GET", path, ""), problem.LocalOnly)
	}
	if n := len(h.hub.Requests()); n != 0 {
		t.Errorf("the Hub was asked %d times", n)
	}
}

func TestAHubThatFails(t *testing.T) {
	h := newHouse(t)
	for status, kind := range map[int]problem.Kind{500: problem.HubFailed, 418: problem.HubFailed, 429: problem.RateLimited} {
		h.hub.FailAPI(fakehub.Fault{Status: status, RetryAfter: "9"})
		resp := h.request("GET", "/api/hub/search?q=small", "")
		if d := h.problem(resp, kind); strings.Contains(d.Detail, "words of the server") {
			t.Error(d.Detail)
		}
		if kind == problem.RateLimited && resp.Header.Get("Retry-After") != "9" {
			t.Errorf("Retry-After %q", resp.Header.Get("Retry-After"))
		}
	}
}
