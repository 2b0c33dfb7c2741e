package e2e

import (
	"testing"

	"mlxbar/backend/testkit/canary"
	"mlxbar/backend/testkit/upstream"
)

// secrets are words of one house that no file and no output may hold: they stand
// in prompts, in arguments of tools and for keys, and the upstream's errors quote them.
type secrets struct {
	words                                *canary.Words
	prompt, tool, clientKey, providerKey string
}

func newSecrets() secrets {
	w := canary.New()
	w.Also(upstream.Marker)
	return secrets{words: w, prompt: w.Word("prompt"), tool: w.Word("tool"), clientKey: "sk-" + w.Word("client"), providerKey: "sk-" + w.Word("far")}
}

// messages ask for something, after a tool was called.
func (s secrets) messages() []any {
	call := map[string]any{"id": "call_1", "type": "function", "function": map[string]any{"name": "note", "arguments": `{"text":"` + s.tool + `"}`}}
	return []any{
		map[string]any{"role": "user", "content": "Note this: " + s.prompt},
		map[string]any{"role": "assistant", "content": nil, "tool_calls": []any{call}},
		map[string]any{"role": "tool", "tool_call_id": "call_1", "content": "noted " + s.tool},
		map[string]any{"role": "user", "content": "Say hello to " + s.prompt},
	}
}

// nowhere searches every file below dir, and what a server said. The upstream's
// answers all hold a word that is searched, too. Links lead to the runtime and the model.
func (s secrets) nowhere(t *testing.T, dir, said string) {
	t.Helper()
	places, err := canary.Folder(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range s.words.Search(append(places, canary.Text("the server's output", said))...) {
		t.Error(found)
	}
}
