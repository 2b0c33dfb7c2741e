package gateway_test

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"mlxbar/backend/engine"
	"mlxbar/backend/gateway/problem"
)

// chatOnly is an engine that has chat and completions alone.
var chatOnly = engine.Scope{Endpoints: []string{"/v1/chat/completions", "/v1/completions"}, TextOnly: true, Freely: true, TellsUsageWhenAsked: true}

func limited(t *testing.T) *house {
	h := newHouse(t, nil)
	h.engines.name, h.engines.scope = "mlx", chatOnly
	return h
}

func TestWhatAnEngineDoesNotDoIsRefusedByName(t *testing.T) {
	h := limited(t)
	const chat = `{"model": "ok-4", "messages": [{"role": "user", "content": "hi"}], `
	for body, field := range map[string]string{
		chat + `"response_format": {"type": "json_schema", "json_schema": {}}}`:  "response_format",
		chat + `"response_format": {"type": "json_object"}}`:                     "response_format",
		chat + `"response_format": {"type": "text"}}`:                            "",
		chat + `"response_format": null, "grammar": null}`:                       "",
		chat + `"grammar": "root ::= \"a\""}`:                                    "grammar",
		chat + `"tool_choice": "required"}`:                                      "tool_choice",
		chat + `"tool_choice": {"type": "function", "function": {"name": "f"}}}`: "tool_choice",
		chat + `"tool_choice": "auto", "n": 1}`:                                  "",
		chat + `"n": 2}`:                                                         "n",
		`{"model": "ok-4", "prompt": "a", "suffix": "b"}`:                        "suffix",
		`{"model": "ok-4", "prompt": "a", "echo": true}`:                         "echo",
		`{"model": "ok-4", "prompt": "a", "echo": false, "suffix": ""}`:          "",
		`{"model": "ok-4", "messages": [{"role": "user", "content": [{"type": "text", "text": "what is this?"}, {"type": "image_url", "image_url": {"url": "data:,"}}]}]}`: "messages",
		`{"model": "ok-4", "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}, {"role": "assistant", "content": null}]}`:                            "",
	} {
		path := "/v1/chat/completions"
		if strings.Contains(body, "prompt") {
			path = "/v1/completions"
		}
		resp := h.request("POST", path, body)
		if field == "" {
			if text := readBody(t, resp); resp.StatusCode != 200 {
				t.Errorf("%s is refused: %s", body, text)
			}
			continue
		}
		d := readProblem(t, resp)
		if d.Type != "/problems/"+string(problem.NotOffered) || !strings.HasPrefix(d.Detail, "The engine mlx ") || !strings.Contains(d.Detail, "llamacpp") || len(d.Errors) != 1 || d.Errors[0].Location != "body."+field {
			t.Errorf("%s: %+v", body, d)
		}
	}
}

// What such an engine has no endpoint for is refused before it is loaded, or asked by its chat; usage is asked for.
func TestAnEngineWithChatAloneServesTheOtherProtocols(t *testing.T) {
	h := limited(t)
	for path, body := range map[string]string{
		"/v1/embeddings":            `{"model": "ok-4", "input": "hello"}`,
		"/v1/rerank":                `{"model": "ok-4", "query": "a", "documents": ["b"]}`,
		"/v1/messages/count_tokens": `{"model": "ok-4", "messages": [{"role": "user", "content": "hi"}]}`,
	} {
		d := readProblem(t, h.request("POST", path, body))
		if d.Type != "/problems/"+string(problem.NotOffered) || !strings.Contains(d.Detail, "has no "+strings.TrimPrefix(path, "/v1/")) || !strings.Contains(d.Detail, "llamacpp") {
			t.Errorf("%s: %q", path, d.Detail)
		}
	}
	if n := len(h.upstream.Requests()); n != 0 {
		t.Errorf("the engine was asked %d times", n)
	}
	for path, body := range map[string]string{
		"/v1/chat/completions": `{"model": "ok-4", "stream": true, "messages": [{"role": "user", "content": "hi"}]}`,
		"/v1/responses":        `{"model": "ok-4", "stream": true, "input": "hi"}`,
		"/v1/messages":         `{"model": "ok-4", "stream": true, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}`,
	} {
		if resp := h.request("POST", path, body); resp.StatusCode != 200 || !strings.Contains(readBody(t, resp), "data: ") {
			t.Errorf("%s: status %d", path, resp.StatusCode)
		}
		all := h.upstream.Requests()
		asked := all[len(all)-1]
		if asked.Path != "/v1/chat/completions" || !gjson.GetBytes(asked.Body, "stream_options.include_usage").Bool() {
			t.Errorf("for %s it was asked %s %s", path, asked.Path, asked.Body)
		}
	}
}
