package server_test

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/canary"
	"mlxbar/backend/testkit/upstream"
)

// What a person asks, what a model answers and any key leave no trace: not in the
// database or its write-ahead log, not in a log, not in another file of the data folder. The
// whole program, with an engine, crashes and a collector, is searched in backend/e2e.
func TestNothingKeepsWhatWasAskedOrAnswered(t *testing.T) {
	up := testkit.NewUpstream(t, upstream.Key(providerKey))
	h := newHouse(t, up.URL)
	h.start()
	words := canary.New()
	for _, word := range []string{providerKey, upstream.Marker, h.token} {
		words.Also(word)
	}
	for _, model := range canary.Failures {
		for _, a := range words.Asks(model + "=1ms") {
			h.ask(a)
		}
	}
	for _, a := range words.Refused() {
		h.ask(a)
	}
	h.text(h.request("POST", "/api/audit/flush", ""), http.StatusNoContent)
	h.noTrace(words) // while the write-ahead log is there
	h.stop()
	if err := h.wait(); err != nil {
		t.Fatal(err)
	}
	h.noTrace(words)
	if n := len(h.recorded()); n < 80 {
		t.Errorf("the audit has %d records: the requests did not get as far as they should", n)
	}
}

// ask sends what a test searches for. The admin API gets its token.
func (h *house) ask(a canary.Ask) {
	h.t.Helper()
	var headers []func(*http.Request)
	for name, value := range a.Header {
		if name != "Authorization" || !strings.HasPrefix(a.Path, "/api/") {
			headers = append(headers, header(name, value))
		}
	}
	h.drain(h.request(a.Method, a.Path, a.Body, headers...))
}

// drain reads an answer, however it ends.
func (h *house) drain(resp *http.Response) {
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
}

func (h *house) noTrace(words *canary.Words) {
	h.t.Helper()
	places, err := canary.Folder(h.paths.Root, h.paths.AdminToken)
	if err != nil {
		h.t.Fatal(err)
	}
	searched := map[string]bool{}
	for _, p := range places {
		searched[filepath.Base(p.Name)] = true
	}
	for _, found := range words.Search(append(places, canary.Text("stderr", h.log.String()))...) {
		h.t.Error(found)
	}
	if !searched["mlxbar.db"] || !searched["mlxbar.log"] || !searched["settings.json"] {
		h.t.Errorf("searched only %v", searched)
	}
	if len(h.log.String()) < 2000 {
		h.t.Errorf("the log is nearly empty: %s", h.log.String())
	}
}
