package e2e

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mlxbar/backend/testkit/upstream"
)

// secrets are words of one house that no file and no output may hold: they stand
// in prompts, in arguments of tools and for keys, and the upstream's errors quote them.
type secrets struct{ prompt, tool, clientKey, providerKey string }

func newSecrets() secrets {
	return secrets{prompt: random("prompt"), tool: random("tool"), clientKey: random("sk-client-"), providerKey: random("sk-far-")}
}

func (s secrets) all() []string {
	return []string{s.prompt, s.tool, s.clientKey, s.providerKey, upstream.Marker}
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
	for _, found := range s.search(t, dir, said) {
		t.Error(found)
	}
}

func (s secrets) search(t *testing.T, dir, said string) (found []string) {
	t.Helper()
	look := func(where string, content []byte) {
		for _, word := range s.all() {
			if bytes.Contains(content, []byte(word)) {
				found = append(found, where+" holds "+word)
			}
		}
	}
	look("the server's output", []byte(said))
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		look(path, content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestTheSearchForSecretsFindsThem(t *testing.T) {
	s, dir := newSecrets(), t.TempDir()
	if found := s.search(t, dir, "all is well"); len(found) != 0 {
		t.Errorf("found in nothing: %q", found)
	}
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "logs", "x.db-wal"), []byte("\x00"+s.prompt+"\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	found := s.search(t, dir, "refused "+s.providerKey)
	if len(found) != 2 || !strings.Contains(found[0], s.providerKey) || !strings.Contains(found[1], "x.db-wal") {
		t.Errorf("found %q", found)
	}
}
