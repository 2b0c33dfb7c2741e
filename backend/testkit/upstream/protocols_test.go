package upstream_test

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/upstream"
)

// TestEveryProtocolSaysTheSame reads the same script in each protocol's own shape.
func TestEveryProtocolSaysTheSame(t *testing.T) {
	up := testkit.NewUpstream(t)
	for path, c := range map[string]struct{ text, thought, call, arguments, end string }{
		"/chat/completions": {"choices.0.message.content", "choices.0.message.reasoning_content", "choices.0.message.tool_calls.1.id", "choices.0.message.tool_calls.1.function.arguments", "data: [DONE]"},
		"/messages":         {`content.#(type="text").text`, `content.#(type="thinking").thinking`, "content.2.id", "content.2.input", "event: message_stop"},
		"/responses":        {`output.#(type="message").content.0.text`, `output.#(type="reasoning").summary.0.text`, "output.2.call_id", "output.2.arguments", "event: response.completed"},
	} {
		whole := func(model string) string { return ask(t, t.Context(), up.URL+path, chatBody(model, false)).body }
		if got := gjson.Get(whole("thinking"), c.thought).Str; got != upstream.Reasoning {
			t.Errorf("%s thinks %q", path, got)
		}
		if got := gjson.Get(whole("unicode"), c.text).Str; got != upstream.Unicode {
			t.Errorf("%s says %q", path, got)
		}
		called := whole("parallel")
		if id, arguments := gjson.Get(called, c.call).Str, gjson.Get(called, c.arguments).String(); !strings.HasSuffix(id, "_upstream2") || arguments != upstream.Arguments {
			t.Errorf("%s calls %q with %s", path, id, arguments)
		}
		for _, model := range []string{"ok", "parallel", "thinking"} {
			streamed := ask(t, t.Context(), up.URL+path, chatBody(model, true)).body
			last := streamed[strings.LastIndex(strings.TrimSpace(streamed), "\n\n")+2:]
			if !strings.HasPrefix(last, c.end) {
				t.Errorf("%s, %s: the stream ends with %q", path, model, last)
			}
		}
		failed := ask(t, t.Context(), up.URL+path, chatBody("error-event", true)).body
		if !strings.Contains(failed, "Refused") || strings.Contains(failed, c.end) {
			t.Errorf("%s: a stream that failed: %s", path, failed)
		}
	}
}

func TestAServerWithoutResponses(t *testing.T) {
	up := testkit.NewUpstream(t, upstream.WithoutResponses())
	if got := ask(t, t.Context(), up.URL+"/responses", chatBody("ok", false)); got.status != 404 || !strings.Contains(got.body, "unknown_url") {
		t.Errorf("%d %s", got.status, got.body)
	}
}
