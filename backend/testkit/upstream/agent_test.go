package upstream_test

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"mlxbar/backend/testkit"
)

// The script calls what an agent offers, in its order, and answers when it has heard of all of it, in each protocol.
func TestAnAgentIsHadCallItsTools(t *testing.T) {
	up := testkit.NewUpstream(t)
	for _, c := range []struct{ path, tools, history, history2, call, first, second string }{
		{"/v1/chat/completions",
			`{"type":"function","function":{"name":"apply_patch"}},{"type":"function","function":{"name":"other"}},{"type":"function","function":{"name":"exec_command"}}`,
			`"messages":[{"role":"user","content":"my secret"}]`,
			`"messages":[{"role":"user","content":"my secret"},{"role":"assistant","tool_calls":[]},{"role":"tool","content":"done"}]`,
			"choices.0.message.tool_calls.0.function.name", "exec_command", "apply_patch"},
		{"/v1/messages", `{"name":"Bash"},{"name":"Read"}`, `"messages":[{"role":"user","content":"my secret"}]`,
			`"messages":[{"role":"user","content":"my secret"},{"role":"user","content":[{"type":"tool_result","content":"done"}]}]`,
			`content.#(type="tool_use").name`, "Bash", ""},
		{"/v1/responses", `{"type":"function","name":"exec_command"}`, `"input":[{"role":"user","content":"my secret"}]`,
			`"input":[{"role":"user","content":"my secret"},{"type":"function_call_output","output":"done"}]`,
			`output.#(type="function_call").name`, "exec_command", ""},
	} {
		for history, want := range map[string]string{c.history: c.first, c.history2: c.second} {
			got := ask(t, t.Context(), strings.TrimSuffix(up.URL, "/v1")+c.path, `{"model":"agent","max_tokens":9,"tools":[`+c.tools+`],`+history+`}`)
			if got.status != 200 || gjson.Get(got.body, c.call).Str != want {
				t.Errorf("%s: %d, want a call of %q: %s", c.path, got.status, want, got.body)
			}
		}
	}
}
