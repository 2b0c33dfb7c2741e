package server_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mlxbar/backend/download"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/hub"
	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/canary"
	fakehub "mlxbar/backend/testkit/hub"
)

const hubToken = "hf_canaryOfTheServer"

func (h *house) downloads() []download.Job {
	h.t.Helper()
	var answer struct{ Downloads []download.Job }
	if err := json.Unmarshal([]byte(h.text(h.request("GET", "/api/downloads", ""), 200)), &answer); err != nil {
		h.t.Fatal(err)
	}
	return answer.Downloads
}

// A server that is stopped in the middle of a download goes on with it when it starts, tells of it live, and keeps
// neither the token nor the signed address.
func TestADownloadOutlivesItsServer(t *testing.T) {
	far := fakehub.New(t)
	content := bytes.Repeat([]byte("weights "), 1000)
	far.Add("maker/Small-GGUF", "small.gguf", content)
	far.Gate("maker/Small-GGUF", hubToken)
	t.Setenv(hub.EndpointVariable, far.URL)
	t.Setenv(hub.TokenName, hubToken)
	hold := make(chan struct{})
	far.Fail("small.gguf", fakehub.Fault{Hold: hold}, fakehub.Fault{Hold: hold})
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.start()
	h.text(h.request("POST", "/api/downloads", `{"repo": "maker/Small-GGUF"}`), http.StatusAccepted)
	eventually(t, "bytes come", func() bool { return h.downloads()[0].DoneBytes > 0 })
	if status := h.text(h.request("GET", "/api/status", ""), 200); !strings.Contains(status, `"downloading":1`) {
		t.Errorf("the status says %s", status)
	}
	h.stop()
	if err := h.wait(); err != nil {
		t.Fatal(err)
	}

	h.start()
	eventually(t, "more bytes come", func() bool { return h.downloads()[0].DoneBytes > 1024 })
	h.text(h.request("PATCH", "/api/settings", `{"local_only": true}`), 200)
	if j := h.downloads()[0]; j.Status != download.Paused || !strings.Contains(j.Problem, "local_only") {
		t.Errorf("with local_only it is %+v", j)
	}
	if status := h.text(h.request("GET", "/api/status", ""), 200); !strings.Contains(status, `"downloading":0`) {
		t.Errorf("with local_only the status says %s", status)
	}
	asked := len(far.Requests())
	h.problem(h.request("POST", "/api/downloads", `{"repo": "maker/Small-GGUF"}`), problem.LocalOnly)
	h.problem(h.request("POST", "/api/downloads/"+h.downloads()[0].ID+"/resume", ""), problem.LocalOnly)
	if n := len(far.Requests()); n != asked {
		t.Errorf("with local_only the Hub was asked: %+v", far.Requests()[asked:])
	}
	h.text(h.request("PATCH", "/api/settings", `{"local_only": false, "downloads": {"max_kb_per_second": 100000}}`), 200)
	live := h.listen("")
	close(hold)
	h.text(h.request("POST", "/api/downloads/"+h.downloads()[0].ID+"/resume", ""), 200)
	live.until("download", func(data string) bool { return strings.Contains(data, `"status":"done"`) })
	if got, err := os.ReadFile(filepath.Join(h.paths.Models, "small.gguf")); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := live.close(); err != nil {
		t.Error(err)
	}
	h.stop()
	if err := h.wait(); err != nil {
		t.Fatal(err)
	}
	places, err := canary.Folder(h.paths.Root, h.paths.AdminToken)
	if err != nil {
		t.Fatal(err)
	}
	words := canary.New()
	words.Also(hubToken)
	words.Also("canary-signature")
	for _, found := range words.Search(append(places, canary.Text("stderr", h.log.String()))...) {
		t.Error(found)
	}
}

func TestAHubThatCannotBeAskedStopsTheStart(t *testing.T) {
	t.Setenv(hub.EndpointVariable, "huggingface.co")
	h := newHouse(t, testkit.NewUpstream(t).URL)
	if err := h.fails(); !strings.Contains(err.Error(), hub.EndpointVariable) {
		t.Error(err)
	}
}
