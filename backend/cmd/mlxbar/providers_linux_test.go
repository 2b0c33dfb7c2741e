package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"mlxbar/backend/keychain"
	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/secrets"
	"mlxbar/backend/testkit/upstream"
)

const providerKey = "sk-canary-of-the-provider"

func (h *house) inKeychain(name, want string) {
	h.t.Helper()
	got, err := keychain.Get(h.t.Context(), "provider:"+name)
	if want == "" && err == nil || want != "" && got != want {
		h.t.Errorf("the keychain has %q of %s, %v; want %q", got, name, err, want)
	}
}

// says runs a command with text on its stdin and wants it to succeed, to say part and to show no key.
func (h *house) says(text, part string, args ...string) {
	h.t.Helper()
	o := h.feeds(text, args...)
	if o.code != 0 || !strings.Contains(o.stdout+o.stderr, part) || strings.Contains(o.stdout+o.stderr, "canary") {
		h.t.Errorf("mlxbar %v: %+v; want %q", args, o, part)
	}
}

// The same commands do the same whether the server runs or not.
func TestAProvidersKeyByTheCommandLine(t *testing.T) {
	for _, runs := range []bool{true, false} {
		t.Run(fmt.Sprintf("runs=%v", runs), func(t *testing.T) {
			secrets.New(t)
			h := newHouse(t)
			up := testkit.NewUpstream(t, upstream.Key(providerKey))
			h.provider(up.URL)
			if runs {
				p := h.serve()
				defer func() { p.signal(syscall.SIGTERM); p.ends() }()
			}
			h.says("", "far   openai  "+up.URL+"  none\n", "providers", "list")
			h.says(providerKey+"\n", "The key of far is in the keychain", "providers", "set-key", "far")
			h.inKeychain("far", providerKey)
			h.says("", "  in the keychain\n", "providers", "list")
			if runs {
				h.says("", "lists ", "providers", "test", "far")
			} else {
				h.refused([]string{"providers", "test", "far"}, "not running")
				h.says("", "variables are told as this shell has them", "providers", "list")
			}
			h.says("", "The key of far is removed", "providers", "remove-key", "far")
			h.inKeychain("far", "")
			h.says("", "far has no key in the keychain.", "providers", "remove-key", "far")
			h.says("", "  none\n", "providers", "list")
			if runs {
				h.refused([]string{"providers", "test", "far"}, "wants a key, and none is set")
				h.refused([]string{"providers", "test", "nope"}, "no provider of this name")
			}
			raw, err := os.ReadFile(h.paths.Settings)
			if err != nil || strings.Contains(string(raw), "canary") || strings.Contains(string(raw), "api_key_keychain") {
				t.Errorf("the settings are %s, %v", raw, err)
			}
		})
	}
}

// A server that is started later has what was set without it.
func TestAKeyThatWasSetWhileTheServerWasStoppedCounts(t *testing.T) {
	secrets.New(t)
	h := newHouse(t)
	h.provider(testkit.NewUpstream(t, upstream.Key(providerKey)).URL)
	h.says(providerKey, "in the keychain", "providers", "set-key", "far")
	p := h.serve()
	if resp := p.ask("ok", false); resp.StatusCode != 200 {
		t.Errorf("the answer: %s", resp.Status)
	}
	h.says("", "lists ", "providers", "test", "far")
	p.signal(syscall.SIGTERM)
	p.ends()
}

func TestWhatIsNoKeyIsRefused(t *testing.T) {
	secrets.New(t)
	h := newHouse(t)
	h.refused([]string{"providers", "list"}, "no settings yet")
	if _, err := os.Stat(h.paths.Root); !os.IsNotExist(err) {
		t.Errorf("asking for providers made a data folder: %v", err)
	}
	h.provider("http://127.0.0.1:9/v1")
	for name, c := range map[string]struct {
		text string
		args []string
		says string
	}{
		"nothing":           {"", []string{"set-key", "far"}, "must not be empty"},
		"two lines":         {"canary\ncanary\n", []string{"set-key", "far"}, "without blanks or line breaks"},
		"too much":          {strings.Repeat("canary", 2000), []string{"set-key", "far"}, "too long"},
		"a key as argument": {"", []string{"set-key", "far", "canary"}, "no list of processes shows it"},
		"a key as name":     {"canary", []string{"set-key", "canary"}, "there is far"},
		"no name":           {"canary", []string{"set-key"}, "takes the name of a provider"},
		"an odd option":     {"", []string{"set-key", "far", "--key=canary"}, "--key"},
		"another's key":     {"", []string{"remove-key", "canary"}, "no provider has this name"},
	} {
		t.Run(name, func(t *testing.T) {
			o := h.feeds(c.text, append([]string{"providers"}, c.args...)...)
			if o.code != 1 || !strings.Contains(o.stderr, c.says) || strings.Contains(o.stdout+o.stderr, "canary") {
				t.Errorf("%+v", o)
			}
		})
	}
	h.write(h.paths.Settings, `{"providers": [{"name": "far", "kind": "openai", "base_url": "https://far.example", "api_key_env": "FAR_KEY"}]}`)
	h.refused([]string{"providers", "set-key", "far"}, "FAR_KEY", "api_key_env")
	h.says("", "$FAR_KEY, which is not set", "providers", "list")

	secrets.NewBus(t) // with no keychain on it
	h.write(h.paths.Settings, `{"providers": [{"name": "far", "kind": "openai", "base_url": "https://far.example"}, {"name": "kept", "kind": "openai", "base_url": "https://far.example", "api_key_keychain": "kept"}]}`)
	if o := h.feeds("canary", "providers", "set-key", "far"); o.code != 1 || !strings.Contains(o.stderr, "there is no keychain in this session; name an environment variable") || strings.Contains(o.stderr, "canary") {
		t.Errorf("%+v", o)
	}
	h.says("", "in a keychain, and there is none here", "providers", "list")
}

// At a terminal the key is asked for and not shown.
func TestAKeyIsNotShownWhileItIsTyped(t *testing.T) {
	secrets.New(t)
	h := newHouse(t)
	h.provider("http://127.0.0.1:9/v1")
	if seen, err := h.typed(providerKey, "providers", "set-key", "far"); err != nil || !strings.Contains(seen, "The key of far: ") || strings.Contains(seen, "canary") {
		t.Errorf("%v: %s", err, seen)
	}
	h.inKeychain("far", providerKey)
}
