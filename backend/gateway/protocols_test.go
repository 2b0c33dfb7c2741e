package gateway_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"mlxbar/backend/audit"
	"mlxbar/backend/settings"
	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/upstream"
)

// bilingual is a house with a provider of each protocol: far/… goes to OpenAI's, plain/… to one of its protocol that has
// no Responses, claude/… to Anthropic's, all of them scripted upstreams.
func bilingual(t *testing.T) *house {
	plain := testkit.NewUpstream(t, upstream.WithoutResponses())
	h := newHouse(t, func(s *settings.Settings) {
		s.Providers = append(s.Providers, settings.Provider{Name: "plain", Kind: settings.KindOpenAI, BaseURL: plain.URL})
		s.Routes = nil
		for _, provider := range providers {
			s.Routes = append(s.Routes, settings.Route{Model: provider + "/*", Targets: []settings.Target{{Provider: provider}}})
		}
	})
	s := *h.settings.Load()
	s.Providers = append(slices.Clone(s.Providers), settings.Provider{Name: "claude", Kind: settings.KindAnthropic, BaseURL: h.upstream.URL, APIKeyEnv: "CLAUDE_KEY"})
	h.env["CLAUDE_KEY"] = "sk-ant-claude"
	h.settings.Store(&s)
	h.plain = plain
	return h
}

var (
	providers = []string{"far", "plain", "claude"}
	backendOf = map[string]audit.Backend{"far": audit.OpenAI, "plain": audit.OpenAI, "claude": audit.Anthropic}
)

const (
	chatPath     = "/v1/chat/completions"
	responsePath = "/v1/responses"
	messagePath  = "/v1/messages"
)

// asks is a request of each protocol for the same.
func asks(path, model string, stream bool) string {
	body := map[string]any{"model": model, "stream": stream}
	user := map[string]any{"role": "user", "content": "canary-prompt"}
	tool := map[string]any{"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}}
	switch path {
	case messagePath:
		body["max_tokens"], body["messages"] = 100, []any{user}
		body["tools"] = []any{map[string]any{"name": "weather", "description": "canary-tool", "input_schema": tool}}
	case responsePath:
		body["input"] = []any{user}
		body["tools"] = []any{map[string]any{"type": "function", "name": "weather", "parameters": tool, "strict": false}}
	default:
		body["messages"] = []any{user}
		body["tools"] = []any{map[string]any{"type": "function", "function": map[string]any{"name": "weather", "parameters": tool}}}
	}
	raw, _ := json.Marshal(body)
	return string(raw)
}

// said is what an answer of a protocol says, in text and in calls of tools.
func said(path, body string, stream bool) (text string) {
	if !stream {
		for _, at := range map[string][]string{
			chatPath:     {"choices.0.message.content", "choices.0.message.tool_calls.0.function.arguments"},
			responsePath: {"output.#.content.0.text", "output.0.arguments"},
			messagePath:  {"content.0.text", "content.0.input.city"},
		}[path] {
			v := gjson.Get(body, at)
			if v.IsArray() && len(v.Array()) > 0 {
				v = v.Array()[0]
			}
			text += v.String()
		}
		return text
	}
	for line := range strings.Lines(body) {
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		for _, at := range map[string][]string{
			chatPath: {"choices.0.delta.content", "choices.0.delta.tool_calls.0.function.arguments"}, responsePath: {"delta"},
			messagePath: {"delta.text", "delta.partial_json"},
		}[path] {
			text += gjson.Get(data, at).String()
		}
	}
	return text
}

// Every client's protocol is served by every provider's, and the record tells the tokens.
func TestAnyClientAnyProvider(t *testing.T) {
	end := map[string]string{chatPath: "data: [DONE]", responsePath: "event: response.completed", messagePath: "event: message_stop"}
	for _, path := range []string{chatPath, responsePath, messagePath} {
		for provider, backend := range backendOf {
			for _, model := range []string{"ok", "tools", "comments", "split", "packets"} {
				for _, stream := range []bool{false, true} {
					name := strings.Join([]string{path, provider, model}, " ")
					if stream {
						name += " streamed"
					}
					t.Run(name, func(t *testing.T) {
						h := bilingual(t)
						resp := h.request("POST", path, asks(path, provider+"/"+model, stream))
						body := readBody(t, resp)
						if resp.StatusCode != http.StatusOK || !strings.Contains(said(path, body, stream), upstream.Marker) {
							t.Fatalf("%d %s", resp.StatusCode, body)
						}
						if stream && !strings.Contains(body, end[path]) {
							t.Errorf("the stream has no end: %s", body)
						}
						rec := h.only()
						if rec.Status != audit.Success || rec.Backend != backend || rec.Provider != provider || rec.Endpoint != path || rec.Stream != stream || rec.ServedModel != provider+"/"+model {
							t.Errorf("record %+v", rec)
						}
						if model == "ok" && (rec.PromptTokens == nil || *rec.PromptTokens != upstream.PromptTokens || *rec.CompletionTokens != 8 || *rec.CachedTokens != upstream.CachedTokens) {
							t.Errorf("tokens %v %v %v", rec.PromptTokens, rec.CompletionTokens, rec.CachedTokens)
						}
						if stream && rec.TTFTMS == nil {
							t.Error("no first token")
						}
					})
				}
			}
		}
	}
}

func TestAStreamThatBreaksOffIsNoWholeAnswerInAnyProtocol(t *testing.T) {
	for _, path := range []string{chatPath, responsePath, messagePath} {
		for _, provider := range providers {
			for _, model := range []string{"cut", "error-event"} {
				t.Run(path+" "+provider+" "+model, func(t *testing.T) {
					h := bilingual(t)
					resp := h.request("POST", path, asks(path, provider+"/"+model, true))
					if resp.StatusCode != http.StatusOK { // it broke off before anything had to be said
						readProblem(t, resp)
					} else if data, err := readEvents(resp); err == nil || !strings.Contains(data[len(data)-1], "error") || strings.Contains(data[len(data)-1], "canary") {
						t.Errorf("the stream ended with %q, %v", data[len(data)-1], err)
					}
					if rec := h.only(); rec.Status != audit.Failed || rec.TotalTokens != nil {
						t.Errorf("record %+v", rec)
					}
				})
			}
		}
	}
}

func TestFailuresOfAProviderInTheClientsProtocol(t *testing.T) {
	for _, path := range []string{chatPath, responsePath, messagePath} {
		for _, provider := range providers {
			for model, status := range map[string]int{"status-429": 429, "status-500": 502} {
				h := bilingual(t)
				resp := h.request("POST", path, asks(path, provider+"/"+model, false))
				doc := readProblem(t, resp)
				if doc.Status != status || doc.RequestID == "" || doc.Error == nil || doc.Error.Message == "" || strings.Contains(doc.Detail, "canary") {
					t.Errorf("%s %s %s: %+v", path, provider, model, doc)
				}
				want := map[int]string{429: "rate_limit_error", 502: "server_error"}[status]
				if path == messagePath && status == 502 {
					want = "api_error"
				}
				if doc.Error.Type != want {
					t.Errorf("%s %s %s: error.type is %q", path, provider, model, doc.Error.Type)
				}
			}
		}
	}
}

// What a provider of the client's protocol is sent is what the client sent.
func TestTheSameProtocolIsPassedOnAsItCame(t *testing.T) {
	h := bilingual(t)
	body := `{"model":"ok", "max_tokens":5, "messages":[{"role":"user","content":"canary-prompt"}],  "a_field_of_tomorrow": {"x": [1]}}`
	s := *h.settings.Load()
	s.Routes = []settings.Route{{Model: "ok", Targets: []settings.Target{{Provider: "claude"}}}}
	h.settings.Store(&s)
	for _, path := range []string{messagePath, messagePath + "/count_tokens"} {
		resp := h.request("POST", path, body, header("X-Api-Key", "sk-client"), header("Anthropic-Beta", "tomorrow-2026"), header("Anthropic-Version", "2023-01-01"))
		if answer := readBody(t, resp); resp.StatusCode != http.StatusOK || !strings.Contains(answer, `"input_tokens"`) {
			t.Errorf("%s: %d %s", path, resp.StatusCode, answer)
		}
		sent := h.upstream.Requests()[len(h.upstream.Requests())-1]
		if sent.Path != path || string(sent.Body) != body {
			t.Errorf("%s: sent %s to %s", path, sent.Body, sent.Path)
		}
		if sent.Header.Get("X-Api-Key") != "sk-ant-claude" || sent.Header.Get("Authorization") != "" || sent.Header.Get("Anthropic-Beta") != "tomorrow-2026" || sent.Header.Get("Anthropic-Version") != "2023-01-01" {
			t.Errorf("%s: headers %v", path, sent.Header)
		}
	}
}

func TestAProviderWithoutResponsesIsAskedByChatFromThenOn(t *testing.T) {
	h := bilingual(t)
	for range 2 {
		resp := h.request("POST", responsePath, asks(responsePath, "plain/ok", false))
		if body := readBody(t, resp); resp.StatusCode != http.StatusOK || gjson.Get(body, "object").Str != "response" || gjson.Get(body, "status").Str != "completed" {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
	}
	var paths []string
	for _, r := range h.plain.Requests() {
		paths = append(paths, r.Path)
	}
	if want := []string{chatPath, chatPath}; !slices.Equal(paths, want) { // the unknown path is not in the upstream's list
		t.Errorf("the upstream was asked at %q", paths)
	}
}

// llama.cpp has Responses and Messages of its own; where they fall short it is asked by chat.
func TestAnEngineIsAskedInTheProtocolThatItKnowsBest(t *testing.T) {
	const schema = `{"model": "ok", "max_tokens": 5, "messages": [{"role": "user", "content": "canary-prompt"}], "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}`
	for _, c := range []struct{ path, body, asked string }{
		{chatPath, asks(chatPath, localModel, true), chatPath},
		{messagePath, asks(messagePath, localModel, true), messagePath},
		{messagePath, schema, chatPath},
		{responsePath, asks(responsePath, localModel, false), chatPath},
		{responsePath, asks(responsePath, localModel, true), chatPath},
	} {
		h := newHouse(t, nil, upstream.Key("sk-engine"))
		resp := h.request("POST", c.path, c.body)
		if body := readBody(t, resp); resp.StatusCode != http.StatusOK || !strings.Contains(body, upstream.Marker) {
			t.Fatalf("%s: %d %s", c.path, resp.StatusCode, body)
		}
		if sent := h.upstream.Requests(); len(sent) != 1 || sent[0].Path != c.asked || strings.Contains(c.body, "schema\"") != strings.Contains(string(sent[0].Body), "schema\"") {
			t.Errorf("%s: the engine was asked %+v", c.path, sent)
		}
		if rec := h.only(); rec.Status != audit.Success || rec.Backend != audit.Local || rec.Endpoint != c.path || c.asked != c.path && *rec.PromptTokens != upstream.PromptTokens {
			t.Errorf("record %+v", rec)
		}
	}
}

// Each official SDK looks for the request's id in a header of its own.
func TestTheRequestIDIsWhereEachSDKLooks(t *testing.T) {
	h := newHouse(t, nil)
	for path, want := range map[string]string{messagePath: "mine", messagePath + "/count_tokens": "mine", chatPath: ""} {
		head := h.request("POST", path, "{}", header("X-Request-ID", "mine")).Header
		if head.Get("X-Request-ID") != "mine" || head.Get("Request-Id") != want {
			t.Errorf("%s: %v", path, head)
		}
	}
}

func TestWhatAProtocolCannotSayIsRefusedByItsField(t *testing.T) {
	h := bilingual(t)
	for _, c := range []struct{ path, body, location, kind string }{
		{chatPath, `{"model": "claude/ok", "n": 2, "messages": [{"role": "user", "content": "canary-prompt"}]}`, "body.n", "invalid-request"},
		{responsePath, `{"model": "claude/ok", "input": "canary-prompt", "previous_response_id": "resp_1"}`, "body.previous_response_id", "invalid-request"},
		{"/v1/embeddings", `{"model": "claude/ok", "input": "canary-prompt"}`, "", "not-offered"},
		{messagePath + "/count_tokens", `{"model": "far/ok", "messages": [{"role": "user", "content": "canary-prompt"}]}`, "", "not-offered"},
	} {
		doc := readProblem(t, h.request("POST", c.path, c.body))
		if doc.Status != http.StatusBadRequest || doc.Type != "/problems/"+c.kind || strings.Contains(doc.Detail, "canary") {
			t.Errorf("%s: %+v", c.path, doc)
		}
		if c.location != "" && (len(doc.Errors) == 0 || doc.Errors[0].Location != c.location) {
			t.Errorf("%s: %+v", c.path, doc.Errors)
		}
	}
	if n := len(h.upstream.Requests()); n != 0 {
		t.Errorf("the upstream was asked %d times", n)
	}
}

func TestWhatIsLeftOutIsSaid(t *testing.T) {
	h := bilingual(t)
	resp := h.request("POST", chatPath, `{"model": "claude/ok", "seed": 7, "messages": [{"role": "user", "content": "canary-prompt"}]}`)
	if body := readBody(t, resp); resp.StatusCode != http.StatusOK || !strings.Contains(resp.Header.Get("X-Mlxbar-Dropped"), "seed") {
		t.Errorf("%d %q %s", resp.StatusCode, resp.Header.Get("X-Mlxbar-Dropped"), body)
	}
}

// Usage is recorded though the client did not ask for it, and the client does not see that it was asked for.
func TestUsageIsAskedForTheRecordAlone(t *testing.T) {
	h := bilingual(t)
	body := readBody(t, h.request("POST", chatPath, asks(chatPath, "far/ok", true)))
	if strings.Contains(body, `"usage":{`) || !strings.Contains(body, "[DONE]") {
		t.Errorf("the client got %s", body)
	}
	if rec := h.only(); rec.TotalTokens == nil || *rec.TotalTokens != upstream.PromptTokens+8 {
		t.Errorf("record %+v", rec)
	}
}

// What one target's protocol cannot say another target's can.
func TestATargetThatCannotSayItIsPassedOver(t *testing.T) {
	h := bilingual(t)
	s := *h.settings.Load()
	s.Routes = []settings.Route{{Model: "any", Targets: []settings.Target{{Provider: "claude", Model: "ok"}, {Provider: "far", Model: "ok"}}}}
	h.settings.Store(&s)
	resp := h.request("POST", chatPath, `{"model": "any", "n": 2, "messages": [{"role": "user", "content": "canary-prompt"}]}`)
	if body := readBody(t, resp); resp.StatusCode != http.StatusOK || resp.Header.Get("X-Mlxbar-Failed") != "claude=invalid-request" {
		t.Errorf("%d %q %s", resp.StatusCode, resp.Header.Get("X-Mlxbar-Failed"), body)
	}
}

// That one provider has no Responses says nothing of the next one that is asked.
func TestTheNextProviderIsAskedByItsOwnResponses(t *testing.T) {
	var asked []string
	knows := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"id": "resp_1", "object": "response", "status": "completed", "output": []}`)
	}))
	defer knows.Close()
	h := bilingual(t)
	s := *h.settings.Load()
	s.Providers = append(slices.Clone(s.Providers), settings.Provider{Name: "knows", Kind: settings.KindOpenAI, BaseURL: knows.URL + "/v1"})
	s.Routes = []settings.Route{{Model: "any", Targets: []settings.Target{{Provider: "plain", Model: "status-500"}, {Provider: "knows"}}}}
	h.settings.Store(&s)
	resp := h.request("POST", responsePath, asks(responsePath, "any", false))
	if body := readBody(t, resp); resp.StatusCode != http.StatusOK || !slices.Equal(asked, []string{responsePath}) {
		t.Errorf("%d %s, asked at %q", resp.StatusCode, body, asked)
	}
}
