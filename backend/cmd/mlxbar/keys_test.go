package main

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestAKeyFromItsMakingToItsEnd(t *testing.T) {
	h := newHouse(t)
	h.refused([]string{"keys", "list"}, "not running")
	if err := os.MkdirAll(h.paths.Root, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.paths.Settings, []byte(`{"server": {"require_api_key": true}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	p := h.serve()
	if o := h.mlxbar("keys", "list"); o.code != 0 || !strings.Contains(o.stderr, "No API keys yet") {
		t.Errorf("%+v", o)
	}
	h.refused([]string{"keys", "create", " "}, "mlxbar: NAME: must not be empty")
	h.refused([]string{"keys", "create", "a", "--tokens-per-day", "-1"}, "mlxbar: --tokens-per-day: must be from 0")
	h.refused([]string{"keys", "create", "a", "--model", ""}, "mlxbar: --model: must be")
	made := h.mlxbar("keys", "create", "my editor", "--model", "small", "--model", "gpt-*", "--requests-per-minute", "7")
	secret := strings.TrimSpace(made.stdout)
	if made.code != 0 || !strings.HasPrefix(secret, "sk-mlxbar-") || strings.Contains(made.stderr, secret) {
		t.Fatalf("%+v", made)
	}
	id, _, _ := strings.Cut(made.stderr, ",")
	list := h.mlxbar("keys", "list")
	for _, says := range []string{id, "my editor", "small,gpt-*", "7", "any", "never", secret[len(secret)-4:]} {
		if !strings.Contains(list.stdout, says) {
			t.Errorf("the list does not say %q: %s", says, list.stdout)
		}
	}
	if strings.Contains(list.stdout, secret) {
		t.Error("the list shows the key")
	}
	models := func() int {
		req, err := http.NewRequest("GET", p.url+"/v1/models", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+secret)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		http.DefaultClient.CloseIdleConnections()
		return resp.StatusCode
	}
	if got := models(); got != http.StatusOK {
		t.Errorf("with the key: %d", got)
	}
	if o := h.mlxbar("keys", "revoke", id); o.code != 0 {
		t.Errorf("%+v", o)
	}
	if got := models(); got != http.StatusUnauthorized {
		t.Errorf("with the key that was taken back: %d", got)
	}
	h.refused([]string{"keys", "revoke", id}, "no API key of this id")
	p.signal(syscall.SIGTERM)
	p.ends()
}
