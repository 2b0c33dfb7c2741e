package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"mlxbar/backend/audit"
	"mlxbar/backend/settings"
)

// checkLocal holds a record to the engine of this machine and to the official client.
func checkLocal(t *testing.T, r audit.Record) {
	t.Helper()
	if r.Backend != audit.Local || r.Provider != "llamacpp" || r.Model != local || r.ServedModel != local {
		t.Errorf("record %+v, want the local engine", r)
	}
	if !strings.HasPrefix(r.Client, "OpenAI/Python ") && !strings.HasPrefix(r.Client, "AsyncOpenAI/Python ") {
		t.Errorf("client %q", r.Client)
	}
}

// says has the model speak on until it has said n tokens.
func (h *house) says(n int, more with) with {
	w := with{"model": local, "messages": h.secrets.messages(), "max_tokens": n, "extra_body": with{"ignore_eos": true}}
	for name, value := range more {
		w[name] = value
	}
	return w
}

func TestTheOfficialClientIsAnsweredByTheRealEngine(t *testing.T) {
	h := newHouse(t)
	c := h.client()
	prompt := "Once upon a time, " + h.secrets.prompt
	streamed := with{"stream": true, "stream_options": with{"include_usage": true}}
	for _, test := range []struct {
		name, endpoint string
		call           call
	}{
		{"chat", "/v1/chat/completions", call{With: h.says(12, nil)}},
		{"chat, streamed", "/v1/chat/completions", call{With: h.says(12, streamed)}},
		{"chat, streamed without usage", "/v1/chat/completions", call{With: h.says(12, with{"stream": true})}},
		{"chat, streamed to the async client", "/v1/chat/completions", call{With: h.says(12, streamed), Async: true}},
		{"completion", "/v1/completions", call{With: with{"model": local, "prompt": prompt, "max_tokens": 12, "extra_body": with{"ignore_eos": true}}}},
		{"completion, streamed", "/v1/completions", call{With: with{"model": local, "prompt": prompt, "max_tokens": 12, "stream": true, "extra_body": with{"ignore_eos": true}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.call.Do = strings.ReplaceAll(strings.TrimPrefix(test.endpoint, "/v1/"), "/", ".") + ".create"
			o := c.do(test.call)
			if o.Error != nil {
				t.Fatalf("%+v", *o.Error)
			}
			stream := test.call.With["stream"] == true
			if strings.TrimSpace(o.Text) == "" || o.FinishReason != "length" || (stream && o.Chunks < 3) {
				t.Errorf("answer %+v", o)
			}
			if want := test.call.With["stream_options"] != nil || !stream; want && (o.Usage == nil || o.Usage.Completion != 12 || o.Usage.Prompt == 0 || o.Usage.Total != o.Usage.Prompt+12) {
				t.Errorf("usage %+v", o.Usage)
			}
			r := h.record(o.RequestID)
			checkLocal(t, r)
			checkSuccess(t, r, o, test.endpoint, stream)
			if figure(r.CompletionTokens) != any(int64(12)) || r.PromptMS == nil || r.GenerationMS == nil {
				t.Errorf("the record has %v tokens, read in %v ms and made in %v ms", figure(r.CompletionTokens), figure(r.PromptMS), figure(r.GenerationMS))
			}
		})
	}
	for name, more := range map[string]with{
		"embeddings, as base64 by the client's default": {"input": h.secrets.prompt},
		"embeddings, as numbers":                        {"input": []string{h.secrets.prompt, "another"}, "encoding_format": "float"},
	} {
		t.Run(name, func(t *testing.T) {
			more["model"] = local
			o := c.do(call{Do: "embeddings.create", With: more})
			if o.Error != nil {
				t.Fatalf("%+v", *o.Error)
			}
			want := 1
			if list, ok := more["input"].([]string); ok {
				want = len(list)
			}
			if len(o.Dimensions) != want || slices.Min(o.Dimensions) != 576 {
				t.Errorf("dimensions %v, want %d times 576", o.Dimensions, want)
			}
			r := h.record(o.RequestID)
			checkLocal(t, r)
			checkSuccess(t, r, o, "/v1/embeddings", false)
		})
	}
}

func TestTheOfficialClientFindsTheModels(t *testing.T) {
	h := newHouse(t, func(s *settings.Settings) {
		s.Routes = append(s.Routes, settings.Route{Model: "gpt-far", Targets: []settings.Target{{Provider: "far", Model: "ok=1ms"}}})
	})
	c := h.client()
	var list struct {
		Data []struct {
			ID      string
			Object  string
			OwnedBy string `json:"owned_by"`
		}
	}
	if o := c.do(call{Do: "models.list"}); o.Error != nil || json.Unmarshal(o.Answer, &list) != nil {
		t.Fatalf("%+v", o)
	}
	if len(list.Data) != 2 || list.Data[0].ID != "gpt-far" || list.Data[0].OwnedBy != "far" || list.Data[1].ID != local || list.Data[1].Object != "model" {
		t.Errorf("models %+v", list.Data)
	}
	for _, name := range []string{"gpt-far", local} {
		if o := c.do(call{Do: "models.retrieve", With: with{"model": name}}); o.Error != nil || !strings.Contains(string(o.Answer), name) {
			t.Errorf("%s: %+v", name, o)
		}
	}
	o := c.do(call{Do: "models.retrieve", With: with{"model": "nobody"}})
	if o.class() != "NotFoundError" || !strings.Contains(o.Error.Message, local) {
		t.Errorf("an unknown model: %+v", o.Error)
	}
	if n := len(h.records()); n != 0 {
		t.Errorf("%d records: asking for models is no inference", n)
	}
}

func TestTheOfficialClientIsToldWhatIsWrongWithItsRequest(t *testing.T) {
	h := newHouse(t, func(s *settings.Settings) { s.Server.MaxBodyMB = 1 })
	c := h.client()
	huge := []any{map[string]any{"role": "user", "content": strings.Repeat(h.secrets.prompt+" ", 2<<20/len(h.secrets.prompt))}}
	long := []any{map[string]any{"role": "user", "content": strings.Repeat("word ", 20000)}}
	for _, test := range []struct {
		name, do          string
		change            with
		class             string
		status            int
		code, says, param string
		errorType         string
	}{
		{"unknown model", "chat.completions.create", with{"model": "nobody"}, "NotFoundError", 404, "model_not_found", local, "", "model-not-found"},
		{"no messages", "chat.completions.create", with{"messages": []any{}}, "BadRequestError", 400, "invalid_value", "at least one message", "messages", "invalid-request"},
		{"messages that are none", "chat.completions.create", with{"messages": 7}, "BadRequestError", 400, "invalid_value", "array of messages", "messages", "invalid-request"},
		{"a negative limit", "chat.completions.create", with{"max_tokens": -1}, "BadRequestError", 400, "invalid_value", "at least 1", "max_tokens", "invalid-request"},
		{"what only the engine knows", "chat.completions.create", with{"temperature": "hot"}, "BadRequestError", 400, "upstream_refused", "temperature", "temperature", "upstream-refused"},
		{"an image for a model without eyes", "chat.completions.create", with{"messages": []any{with{"role": "user", "content": []any{
			with{"type": "image_url", "image_url": with{"url": "data:image/png;base64,AAAA"}}}}}}, "BadRequestError", 400, "upstream_refused", "takes no image", "messages", "upstream-refused"},
		{"a prompt that is too long", "chat.completions.create", with{"messages": long}, "BadRequestError", 400, "context_length_exceeded", "8192", "", "context-length-exceeded"},
		{"an embedding that is too long", "embeddings.create", with{"messages": nil, "input": strings.Repeat("word ", 3000)}, "BadRequestError", 400, "context_length_exceeded", "at once", "", "context-length-exceeded"},
		{"a body that is too large", "chat.completions.create", with{"messages": huge}, "APIStatusError", 413, "body_too_large", "1 MiB", "", "body-too-large"},
	} {
		t.Run(test.name, func(t *testing.T) {
			parameters := with{"model": local, "messages": h.secrets.messages()}
			for name, value := range test.change {
				parameters[name] = value
				if value == nil {
					delete(parameters, name)
				}
			}
			parameters["extra_headers"] = with{"X-Request-ID": "mine: " + test.name}
			o := c.do(call{Do: test.do, With: parameters})
			if o.class() != test.class || o.Error.Status != test.status || o.Error.Code != test.code || o.Error.Param != test.param ||
				o.Error.Type != "invalid_request_error" || !strings.Contains(o.Error.Message, test.says) {
				t.Fatalf("%+v", o.Error)
			}
			if o.Error.RequestID != "mine: "+test.name {
				t.Errorf("request id %q, want the client's own", o.Error.RequestID)
			}
			r := h.record(o.Error.RequestID)
			if r.Status != audit.Failed || figure(r.HTTPStatus) != any(int64(test.status)) || r.ErrorType != test.errorType || r.Backend != audit.Local || r.TotalTokens != nil {
				t.Errorf("record %+v", r)
			}
		})
	}
	o := c.do(call{Do: "moderations.create", With: with{"input": h.secrets.prompt}})
	if o.class() != "NotFoundError" || o.Error.Code != "not_found" || o.Error.RequestID == "" {
		t.Errorf("what is not served: %+v", o.Error)
	}
}
