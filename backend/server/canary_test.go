package server_test

import (
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/upstream"
)

// What a person asks, what a model answers and any key leave no trace: not in the
// database or its write-ahead log, not in a log, not in another file of the data folder.
func TestNothingKeepsWhatWasAskedOrAnswered(t *testing.T) {
	up := testkit.NewUpstream(t, upstream.Key(providerKey))
	h := newHouse(t, up.URL)
	h.start()
	canaries := []string{
		"canary-of-the-prompt", "canary-of-the-tool", "canary-of-the-input", "sk-canary-of-the-client", "canary-of-the-settings",
		"canary-of-the-query", "canary-of-the-cookie", "canary-of-the-login", "canary-of-the-agent", providerKey, upstream.Marker, h.token,
	}
	client := []func(*http.Request){
		header("Authorization", "Bearer sk-canary-of-the-client"), header("User-Agent", "Tool/1.0 (canary-of-the-agent)"), header("Cookie", "a=canary-of-the-cookie"),
	}
	// The scripts' errors quote the prompt and the key, as those of careless servers do.
	for _, model := range []string{
		"ok", "timings", "tools", "status-400", "status-401", "status-404", "status-429", "status-500", "status-503", "error-event",
		"cut", "cut-clean", "no-done", "malformed-json", "malformed-sse", "html", "empty", "redirect", "cut-headers", "no-such-script",
	} {
		for _, stream := range []bool{false, true} {
			h.drain(h.request("POST", "/v1/chat/completions", fmt.Sprintf(`{"model": %q, "stream": %t, "user": "canary-of-the-prompt",
				"messages": [{"role": "user", "content": "canary-of-the-prompt"},
					{"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": \"canary-of-the-tool\"}"}}]},
					{"role": "tool", "tool_call_id": "1", "content": "canary-of-the-tool"}],
				"tools": [{"type": "function", "function": {"name": "f", "description": "canary-of-the-tool"}}]}`, model, stream), client...))
		}
		h.drain(h.request("POST", "/v1/completions", fmt.Sprintf(`{"model": %q, "prompt": "canary-of-the-prompt"}`, model), client...))
		h.drain(h.request("POST", "/v1/embeddings", fmt.Sprintf(`{"model": %q, "input": ["canary-of-the-input"]}`, model), client...))
	}
	for _, c := range []struct{ method, path, body string }{ // what is refused before it is looked at
		{"POST", "/v1/chat/completions", `{"model": "ok", "messages": "canary-of-the-prompt"}`},
		{"POST", "/v1/chat/completions", `{"model": "ok", "messages": [{"role": "canary-of-the-prompt`},
		{"POST", "/v1/chat/completions", `{"model": "ok", "max_tokens": "canary-of-the-prompt", "messages": [{"role": "user"}]}`},
		{"POST", "/v1/chat/completions?key=canary-of-the-query", `{}`},
		{"GET", "/v1/models?api_key=canary-of-the-query", ""},
		{"GET", "/api/status?canary-of-the-query=1", ""},
		{"POST", "/api/session", `{"token": "canary-of-the-login"}`},
		{"POST", "/api/session", `{"token": ["canary-of-the-login"], "canary-of-the-login": 1}`},
		{"PATCH", "/api/settings", `{"api_key": "canary-of-the-settings"}`},
		{"PATCH", "/api/settings", `{"providers": [{"name": "a", "kind": "openai", "base_url": "https://canary-of-the-settings@h", "api_key_env": "canary-of-the-settings"}]}`},
	} {
		h.drain(h.request(c.method, c.path, c.body))
	}
	h.text(h.request("POST", "/api/audit/flush", ""), http.StatusNoContent)
	h.noTrace(canaries) // while the write-ahead log is there
	h.stop()
	if err := h.wait(); err != nil {
		t.Fatal(err)
	}
	h.noTrace(canaries)
	if n := len(h.recorded()); n < 80 {
		t.Errorf("the audit has %d records: the requests did not get as far as they should", n)
	}
}

// drain reads an answer, however it ends.
func (h *house) drain(resp *http.Response) {
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
}

func (h *house) noTrace(canaries []string) {
	h.t.Helper()
	searched := map[string]bool{}
	look := func(name, text string) {
		searched[name] = true
		for _, canary := range canaries {
			if at := strings.Index(text, canary); at >= 0 {
				h.t.Errorf("%s holds %q: …%q…", name, canary, text[max(0, at-200):min(len(text), at+100)])
			}
		}
	}
	look("stderr", h.log.String())
	err := filepath.WalkDir(h.paths.Root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == h.paths.AdminToken {
			return err
		}
		raw, err := os.ReadFile(path)
		look(filepath.Base(path), string(raw))
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	if !searched["mlxbar.db"] || !searched["mlxbar.log"] || !searched["settings.json"] {
		h.t.Errorf("searched only %v", searched)
	}
	if len(h.log.String()) < 2000 {
		h.t.Errorf("the log is nearly empty: %s", h.log.String())
	}
}
