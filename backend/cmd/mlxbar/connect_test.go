package main

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	"mlxbar/backend/testkit"
)

func TestToolsAreShownAndChecked(t *testing.T) {
	h := newHouse(t)
	h.refused([]string{"connect"}, "not running")
	h.provider(testkit.NewUpstream(t).URL)
	p := h.serve()
	if o := h.mlxbar("connect"); o.code != 0 || !strings.Contains(o.stdout, "claude-code") || !strings.Contains(o.stdout, "~/.codex/config.toml") {
		t.Errorf("%+v", o)
	}
	h.refused([]string{"connect", "emacs"}, "no tool", "emacs")

	// The snippet alone goes to stdout, so that it can be written where it belongs.
	o := h.mlxbar("connect", "opencode", "--model", "usage")
	var config struct{ Model string }
	if err := json.Unmarshal([]byte(o.stdout), &config); err != nil || config.Model != "mlxbar/usage" || !strings.Contains(o.stdout, p.url+"/v1") || !strings.Contains(o.stderr, "opencode.json") {
		t.Errorf("%v: %+v", err, o)
	}
	if o := h.mlxbar("connect", "codex", "--model", "usage", "--check"); o.code != 0 || !strings.Contains(o.stdout, "Codex can ask usage.") || !strings.Contains(o.stdout, "far (OPENAI)") {
		t.Errorf("%+v", o)
	}
	h.refused([]string{"connect", "claude-code", "--model", "status-401", "--check"}, "far", "key anew")
	p.signal(syscall.SIGTERM)
	p.ends()
}
