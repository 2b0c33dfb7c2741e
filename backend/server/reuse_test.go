package server_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"mlxbar/backend/audit"
	"mlxbar/backend/datadir"
	"mlxbar/backend/gateway/prefix"
	"mlxbar/backend/models"
	"mlxbar/backend/testkit"
)

// What the real engine reuses of a prompt that it has read before stands in the record, however it is asked; and why it
// reuses nothing, where the prompt begins otherwise each time.
func TestReusedTokensAndWhyThereAreNone(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.paths = datadir.At(testkit.Prepared(t))
	h.opts.DataDir = h.paths.Root
	h.start()
	h.client.Timeout = 8 * testkit.Patience // the model is loaded first, and a busy machine reads slowly
	h.text(h.request("PATCH", "/api/settings", `{"engines": {"llamacpp": {"threads": 1, "parallel": 1}}}`), 200)
	ask := func(path string, members map[string]any) audit.Record {
		t.Helper()
		members["model"] = models.StarterName
		if path == "/v1/responses" {
			members["max_output_tokens"] = 16
		} else {
			members["max_tokens"] = 2
		}
		body, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		h.text(h.request("POST", path, string(body)), 200)
		h.text(h.request("POST", "/api/audit/flush", ""), 204)
		all := h.recorded()
		r := all[len(all)-1]
		if all[0].ID > r.ID {
			r = all[0]
		}
		if r.Endpoint != path || r.Status != audit.Success || r.PromptTokens == nil || r.CachedTokens == nil {
			t.Fatalf("%s: the record is %+v", path, r)
		}
		return r
	}
	for _, stream := range []bool{false, true} {
		for path, member := range map[string]string{"/v1/chat/completions": "messages", "/v1/messages": "messages", "/v1/responses": "input", "/v1/completions": "prompt"} {
			t.Run(fmt.Sprint(path, " ", stream), func(t *testing.T) {
				text := fmt.Sprint(path, stream) + strings.Repeat(" and the sea was calm", 10)
				var content any = text
				if member == "messages" {
					content = []any{map[string]any{"role": "user", "content": text}}
				}
				ask(path, map[string]any{member: content, "stream": stream})
				if r := ask(path, map[string]any{member: content, "stream": stream}); *r.CachedTokens < *r.PromptTokens-16 || *r.CachedTokens > *r.PromptTokens {
					t.Errorf("%d of %d tokens were reused", *r.CachedTokens, *r.PromptTokens)
				} else if r.Hint != "" {
					t.Errorf("it has the hint %q", r.Hint)
				}
			})
		}
	}
	after := func(first, line string) audit.Record {
		return ask("/v1/messages", map[string]any{
			"system": []any{
				map[string]any{"type": "text", "text": first},
				map[string]any{"type": "text", "text": "You are a careful tool.\n" + strings.Repeat(line+"\n", 30)},
			},
			"messages": []any{map[string]any{"role": "user", "content": "Hello"}},
		})
	}
	for n := range 4 {
		r, want := after(fmt.Sprintf("%d seconds have passed.", n*7919), strings.Repeat("-", 80)), ""
		if n >= 2 {
			want = prefix.ChangesAtStart
		}
		if r.Hint != want {
			t.Errorf("request %d with %d of %d tokens reused has the hint %q, want %q", n, *r.CachedTokens, *r.PromptTokens, r.Hint, want)
		}
	}
	// llama.cpp passes over the number in Claude Code's line. There is nothing to complain of then.
	for n := range 4 {
		r := after(fmt.Sprintf("x-anthropic-billing-header: cc_version=2.1.177; cc_entrypoint=cli; cch=%05x;", n*7919), strings.Repeat("=", 80))
		if n > 0 && *r.CachedTokens < *r.PromptTokens-16 || r.Hint != "" {
			t.Errorf("Claude Code's request %d: %d of %d tokens were reused, with the hint %q", n, *r.CachedTokens, *r.PromptTokens, r.Hint)
		}
	}
	if csv := h.text(h.request("GET", "/api/audit/export?format=csv", ""), 200); strings.Count(csv, ","+prefix.ChangesAtStart+"\r\n") != 2 {
		t.Errorf("the export does not have the hints:\n%.2000s", csv)
	}
}
