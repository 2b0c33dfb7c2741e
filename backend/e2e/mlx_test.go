package e2e

import (
	"strings"
	"syscall"
	"testing"

	"github.com/tidwall/gjson"

	"mlxbar/backend/audit"
	"mlxbar/backend/engine"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/settings"
	"mlxbar/backend/testkit"
)

// withMLX is a house whose engine mlx is on, with a model of its format.
func withMLX(t *testing.T) (h *house, model string) {
	t.Helper()
	h = newHouse(t, func(s *settings.Settings) { s.Engines.MLX.Enabled = settings.On })
	return h, testkit.AddMLX(t, h.paths.Models) // it appears by itself
}

// What mlx_lm's server lacks the gateway makes good, or refuses by name. Few tokens, for on a processor they are slow.
func TestAModelOfMLXIsServedByEveryProtocol(t *testing.T) {
	h, model := withMLX(t)
	ask := `"temperature": 0, "messages": [{"role": "user", "content": "What is the capital of France? ` + h.secrets.prompt + `"}]`
	named := `{"model": "` + model + `", `
	for _, c := range []struct {
		name, path, body string
		stream           bool
		says             string // a part of the answer
	}{
		{"chat", "/v1/chat/completions", `"max_tokens": 3, ` + ask, false, `"content":`},
		{"chat, streamed", "/v1/chat/completions", `"stream": true, "max_tokens": 3, ` + ask, true, "data: [DONE]"},
		{"completion", "/v1/completions", `"max_tokens": 2, "prompt": "Once upon a"`, false, `"text":`},
		{"completion, streamed", "/v1/completions", `"stream": true, "max_tokens": 2, "prompt": "Once upon a"`, true, "data: [DONE]"},
		{"responses", "/v1/responses", `"max_output_tokens": 3, "input": "Say hello"`, false, `"output_text"`},
		{"responses, streamed", "/v1/responses", `"stream": true, "max_output_tokens": 3, "input": "Say hello"`, true, "event: response."},
		{"messages", "/v1/messages", `"max_tokens": 3, ` + ask, false, `"stop_reason":"max_tokens"`},
		{"messages, streamed", "/v1/messages", `"stream": true, "max_tokens": 3, ` + ask, true, "event: message_stop"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(h.records())
			status, answer := h.ask("POST", c.path, named+c.body+"}")
			if text := strings.ReplaceAll(string(answer), `": `, `":`); status != 200 || !strings.Contains(text, c.says) {
				t.Fatalf("status %d without %s: %s", status, c.says, answer)
			}
			var r audit.Record
			h.eventually("it is recorded", func() bool {
				all := h.records()
				r = all[0]
				return len(all) == before+1 && r.Status != audit.Running
			})
			if r.Backend != audit.Local || r.Provider != "mlx" || r.ServedModel != model || r.Endpoint != c.path || r.Stream != c.stream || r.Status != audit.Success {
				t.Errorf("record %+v", r)
			}
			if r.PromptTokens == nil || r.CompletionTokens == nil || *r.PromptTokens == 0 || *r.CompletionTokens == 0 || *r.CompletionTokens > 3 {
				t.Errorf("tokens %v and %v", figure(r.PromptTokens), figure(r.CompletionTokens))
			}
		})
	}
	for path, body := range map[string]string{
		"/v1/embeddings":            `"input": "` + h.secrets.prompt + `"`,
		"/v1/rerank":                `"query": "a", "documents": ["b"]`,
		"/v1/messages/count_tokens": ask,
		"/v1/chat/completions":      `"response_format": {"type": "json_object"}, ` + ask,
	} {
		status, answer := h.ask("POST", path, named+body+"}")
		detail := gjson.GetBytes(answer, "detail").Str
		if status != 400 || gjson.GetBytes(answer, "type").Str != "/problems/"+string(problem.NotOffered) || !strings.Contains(detail, "engine mlx") || !strings.Contains(detail, "llamacpp") {
			t.Errorf("%s: status %d: %s", path, status, answer)
		}
	}
	if status, answer := h.ask("GET", "/v1/models", ""); status != 200 || !strings.Contains(string(answer), model) {
		t.Errorf("/v1/models: %s", answer)
	}
}

// Killed as it answers, the server leaves no engine of this kind either.
func TestAServerThatIsKilledLeavesNoEngineOfMLX(t *testing.T) {
	h, model := withMLX(t)
	c := h.client()
	c.begin(call{Do: "chat.completions.create", With: h.says(endless, with{"model": model, "stream": true})})
	c.first()
	running := h.engineOf(model)
	if running.Engine != "mlx" || running.State != engine.Ready || running.PID == 0 || len(h.children()) == 0 {
		t.Fatalf("engine %+v, children %v", running, h.children())
	}
	if err := h.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.wait(-1) // until its engines have ended
	if o := c.end()[0]; o.Error == nil || o.FinishReason != "" {
		t.Errorf("the client took a broken stream for whole: %+v", o)
	}
	h.start()
}

// Switched off, the engine ends and its models are offered no more; switched on, they are again.
func TestTheEngineMLXIsSwitchedOffAndOn(t *testing.T) {
	h, model := withMLX(t)
	offered := func() bool {
		_, answer := h.ask("GET", "/v1/models", "")
		return strings.Contains(string(answer), model)
	}
	ask := `{"model": "` + model + `", "prompt": "Once", "max_tokens": 1}`
	if status, answer := h.ask("POST", "/v1/completions", ask); status != 200 {
		t.Fatalf("status %d: %s", status, answer)
	}
	h.api("PATCH", "/api/settings", `{"engines": {"mlx": {"enabled": "off"}}}`, nil)
	h.eventually("it has ended", func() bool { return len(h.children()) == 0 })
	status, answer := h.ask("POST", "/v1/completions", ask)
	if detail := gjson.GetBytes(answer, "detail").Str; offered() || status != 503 || !strings.Contains(detail, "engines.mlx.enabled") {
		t.Errorf("off: status %d: %s", status, answer)
	}
	h.api("PATCH", "/api/settings", `{"engines": {"mlx": {"enabled": "on"}}}`, nil)
	h.eventually("it answers again", func() bool {
		status, _ := h.ask("POST", "/v1/completions", ask)
		return status == 200 && offered()
	})
}
