package server_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"mlxbar/backend/access"
	"mlxbar/backend/admin"
	"mlxbar/backend/audit"
	"mlxbar/backend/connect"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/server"
	"mlxbar/backend/testkit"
)

func (h *house) check(tool, model, key string) connect.Result {
	h.t.Helper()
	body, err := json.Marshal(admin.CheckRequest{Tool: tool, Model: model, Key: key})
	if err != nil {
		h.t.Fatal(err)
	}
	var r connect.Result
	if err := json.Unmarshal([]byte(h.text(h.request("POST", "/api/connect/check", string(body)), 200)), &r); err != nil {
		h.t.Fatal(err)
	}
	return r
}

// Every tool's request goes through the listener and the gateway to a provider, and stands in the audit.
func TestEveryToolCanAsk(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.start()
	ids := map[string]string{}
	for _, id := range connect.IDs() {
		r := h.check(id, "ok-3", "")
		if !r.OK || r.Backend != "OPENAI" || r.Provider != "far" || r.ServedModel != "ok-3" || r.TTFTMS == nil || r.Attempts != 1 {
			t.Errorf("%s: %+v", id, r)
		}
		ids[r.RequestID] = r.Endpoint
	}
	for id, model := range map[string]string{"claude-code": "agent", "codex": "agent", "opencode": "tools"} {
		if r := h.check(id, model, ""); !r.OK || r.ToolCalled == nil || !*r.ToolCalled || len(r.Notes) > 0 {
			t.Errorf("%s and a model that calls tools: %+v", id, r)
		}
	}
	h.stop()
	if err := h.wait(); err != nil {
		t.Fatal(err)
	}
	for _, rec := range h.recorded() {
		if endpoint, of := ids[rec.RequestID]; of && (rec.Client != "mlxbar-check/"+server.Version || rec.Endpoint != endpoint || rec.Status != audit.Success) {
			t.Errorf("the record of a check is %+v", rec)
		}
		delete(ids, rec.RequestID)
	}
	if len(ids) > 0 {
		t.Errorf("no records of %v", ids)
	}
}

// What goes wrong between a tool and a model is told by kind, whatever protocol the tool speaks.
func TestAToolThatCannotAskIsToldWhy(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.writeSettings(strings.Replace(settingsFor(testkit.NewUpstream(t).URL, ""), `{"model": "*"`,
		`{"model": "nowhere", "targets": [{"provider": "local", "model": "no-such-model"}]}, {"model": "*"`, 1))
	h.start()
	for _, c := range []struct {
		model string
		kind  problem.Kind
	}{
		{"nowhere", problem.ModelNotFound}, {"status-401", problem.UpstreamKey}, {"status-400", problem.ContextExceeded}, {"status-422", problem.UpstreamRefused}, {"html", problem.UpstreamMalformed},
		{"empty", problem.UpstreamCut}, {"cut-headers", problem.UpstreamCut}, {"status-500", problem.UpstreamFailed},
	} {
		for _, tool := range []string{"curl", "claude-code", "codex"} {
			// A target of its own for each, else its circuit would open.
			model := c.model
			if model != "nowhere" {
				model = fmt.Sprintf("%s=%dms", model, len(tool))
			}
			r := h.check(tool, model, "")
			if r.OK || r.Kind != string(c.kind) || r.Summary == "" || r.Advice == "" || strings.Contains(r.Summary, "README") {
				t.Errorf("%s and %s: %+v", tool, c.model, r)
			}
		}
	}
	for _, tool := range []string{"curl", "claude-code", "codex"} {
		if r := h.check(tool, "cut-2=5ms", ""); r.OK || r.Summary == "" || r.RequestID == "" {
			t.Errorf("%s and a stream that breaks off: %+v", tool, r)
		}
	}
}

func TestACheckAndAPIKeys(t *testing.T) {
	upstream := testkit.NewUpstream(t).URL
	h := newHouse(t, upstream)
	h.writeSettings(settingsFor(upstream, `"server": {"require_api_key": true},`))
	h.start()
	if r := h.check("codex", "ok", ""); !r.OK || len(r.Notes) == 0 || !strings.Contains(strings.Join(r.Notes, " "), "requires an API key") {
		t.Errorf("without a key: %+v", r)
	}
	if r := h.check("codex", "ok", "sk-mlxbar-nobodys"); r.OK || r.Kind != string(problem.InvalidKey) {
		t.Errorf("with one that is nobody's: %+v", r)
	}
	var made admin.NewKey
	raw, err := json.Marshal(admin.KeyRequest{Name: "mine", Limits: access.Limits{Models: []string{"ok"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(h.text(h.request("POST", "/api/keys", string(raw)), 201)), &made); err != nil {
		t.Fatal(err)
	}
	if r := h.check("claude-code", "ok", made.Secret); !r.OK {
		t.Errorf("with a good one: %+v", r)
	}
	if r := h.check("claude-code", "usage", made.Secret); r.OK || r.Kind != string(problem.ModelNotAllowed) {
		t.Errorf("for another model: %+v", r)
	}
	if log := h.log.String(); strings.Contains(log, made.Secret) || strings.Contains(log, "nobodys") {
		t.Error("the log holds a key")
	}
}

func TestWhatACheckNeeds(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.start()
	for body, where := range map[string]string{
		`{"tool": "emacs", "model": "ok"}`:                       "body.tool",
		`{"tool": "curl", "model": ""}`:                          "body.model",
		`{"tool": "curl"}`:                                       "body",
		`{"tool": "curl", "model": "a\nb"}`:                      "body.model",
		`{"tool": "curl", "model": "ok", "key": "sk-a\nX: b"}`:   "body.key",
		`{"tool": "curl", "model": "ok", "more": "of the same"}`: "body.more",
	} {
		d := h.problem(h.request("POST", "/api/connect/check", body), problem.InvalidRequest)
		if len(d.Errors) == 0 || d.Errors[0].Location != where {
			t.Errorf("%s: %+v", body, d)
		}
	}
	var list admin.Connect
	if err := json.Unmarshal([]byte(h.text(h.request("GET", "/api/connect?model=some+model", ""), 200)), &list); err != nil {
		t.Fatal(err)
	}
	if list.URL != h.url || list.Model != "some model" || list.KeyRequired || len(list.Tools) != len(connect.IDs()) {
		t.Errorf("%+v", list)
	}
}
