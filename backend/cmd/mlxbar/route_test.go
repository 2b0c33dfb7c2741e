package main

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestWhereARequestWouldGo(t *testing.T) {
	h := newHouse(t)
	h.refused([]string{"route", "explain", "any"}, "not running")
	h.refused([]string{"route", "explain"}, "accepts 1 arg")
	if err := os.MkdirAll(h.paths.Root, 0o700); err != nil {
		t.Fatal(err)
	}
	text := `{"local_only": true,
		"providers": [{"name": "cloud", "kind": "openai", "base_url": "https://cloud.example/v1"}, {"name": "near", "kind": "openai", "base_url": "http://127.0.0.1:9/v1"}],
		"routes": [{"model": "gpt-*", "spread": "order", "targets": [{"provider": "cloud"}, {"provider": "near", "model": "small"}, {"provider": "local", "model": "tiny"}]}]}`
	if err := os.WriteFile(h.paths.Settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := h.serve()
	for _, c := range []struct {
		model string
		says  []string
	}{
		{"gpt-4o", []string{"The route gpt-* matches gpt-4o: the first one that can answers.", "1  near      small", "2  local     tiny", "no such model on this machine", "-  cloud     gpt-4o", "nothing may leave this machine"}},
		{"other", []string{"No route matches other: it stays on this machine.", "1  local     other"}},
	} {
		o := h.mlxbar("route", "explain", c.model)
		for _, says := range c.says {
			if o.code != 0 || !strings.Contains(o.stdout, says) {
				t.Errorf("%s: %+v does not say %q", c.model, o, says)
			}
		}
	}
	h.refused([]string{"route", "explain", strings.Repeat("x", 300)}, "mlxbar: MODEL: ")
	p.signal(syscall.SIGTERM)
	p.ends()
}
