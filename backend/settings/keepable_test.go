package settings

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// keepable has a change kept, which must leave want.
func keepable(t *testing.T, patch, want string) (whole bool) {
	t.Helper()
	raw, whole, err := Keepable([]byte(patch))
	if err != nil {
		t.Fatal(err)
	}
	var is, wanted any
	if err := errors.Join(json.Unmarshal(raw, &is), json.Unmarshal([]byte(want), &wanted)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wanted, is); diff != "" {
		t.Errorf("%s: %s", patch, diff)
	}
	return whole
}

func TestWhatMayBeSavedIsKeptAsItIs(t *testing.T) {
	patches := []string{
		`{"local_only": true, "engines": {"llamacpp": null}, "server": {"allowed_origins": ["http://localhost:3000"]}}`,
		`{"providers": [{"name": "openai", "kind": "openai", "base_url": "", "api_key_env": "OPENAI_API_KEY"}]}`,
		`{"models": {"each": [{"name": "a", "pin": false, "context_size": 0, "draft": "", "arguments": []}]}}`,
		`{"models": {"each": [{"name": "a", "arguments": ["--flash-attn", "on", "--swa-full", "--threads", "4"]}]}}`,
	}
	for _, file := range files {
		if file.want == nil && strings.HasPrefix(file.text, "{") {
			patches = append(patches, file.text)
		}
	}
	for _, patch := range patches {
		if !keepable(t, patch, patch) {
			t.Errorf("%s: something was left out", patch)
		}
	}
}

func TestWhatMayBeASecretIsNotKept(t *testing.T) {
	for _, c := range []struct{ name, patch, want string }{
		{"a key in the place of the variable that holds it", `{"providers": [{"name": "p", "api_key_env": "sk-proj-secret"}]}`, `{"providers": [{"name": "p", "api_key_env": ""}]}`},
		{"a key of more lines", `{"providers": [{"name": "p", "api_key_env": "A\nsecret"}]}`, `{"providers": [{"name": "p", "api_key_env": ""}]}`},
		{"a key in the place of its name", `{"providers": [{"name": "p", "api_key_keychain": "sk-Secret_1"}]}`, `{"providers": [{"name": "p", "api_key_keychain": ""}]}`},
		{"a password in an address", `{"providers": [{"name": "p", "base_url": "https://me:secret@example.com/v1"}]}`, `{"providers": [{"name": "p", "base_url": ""}]}`},
		{"a key in the query of an address", `{"providers": [{"name": "p", "base_url": "https://example.com/v1?key=secret"}]}`, `{"providers": [{"name": "p", "base_url": ""}]}`},
		{"a key behind an address", `{"providers": [{"name": "p", "base_url": "https://example.com/v1#secret"}]}`, `{"providers": [{"name": "p", "base_url": ""}]}`},
		{"a key in the place of an address", `{"telemetry": {"service_name": "s", "otlp_endpoint": "secret"}}`, `{"telemetry": {"service_name": "s", "otlp_endpoint": ""}}`},
		{"a key where there is no setting", `{"api_key": "secret", "server": {"key": {"a": ["secret"]}}}`, `{"server": {}}`},
		{"a key for an engine", `{"models": {"each": [{"name": "a", "arguments": ["--api-key", "secret", "--flash-attn", "on"]}]}}`, `{"models": {"each": [{"name": "a", "arguments": ["--flash-attn", "on"]}]}}`},
		{"a key as an argument's value", `{"models": {"each": [{"name": "a", "arguments": ["--api-key=secret", "--threads", "secret", "--swa-full", "secret"]}]}}`, `{"models": {"each": [{"name": "a", "arguments": ["--threads", "--swa-full"]}]}}`},
		{"a key in the place of something else", `{"local_only": "secret", "timeouts": {"chat": "secret", "idle": {"a": "secret"}}, "server": "secret", "routes": "secret", "models": {"folders": [{"a": "secret"}], "each": [{"name": "a", "pin": "secret", "context_size": "secret", "draft": ["secret"]}]}}`,
			`{"timeouts": {}, "models": {"folders": [], "each": [{"name": "a"}]}}`},
	} {
		if keepable(t, c.patch, c.want) {
			t.Errorf("%s: nobody hears that it was left out", c.name)
		}
	}
}

func TestWhatIsNoChangeIsNotKept(t *testing.T) {
	for _, text := range []string{``, `null`, `[]`, `{"server": `, `{} {}`, `{"a": 1, "a": 2}`} {
		if kept, _, err := Keepable([]byte(text)); err == nil {
			t.Errorf("%q is kept as %q, %v", text, kept, err)
		}
	}
}
