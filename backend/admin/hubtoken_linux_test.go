package admin_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"mlxbar/backend/admin"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/hub"
	"mlxbar/backend/keychain"
	fakehub "mlxbar/backend/testkit/hub"
	"mlxbar/backend/testkit/secrets"
)

func (h *house) testToken() (out admin.HubTokenTest) {
	h.t.Helper()
	if err := json.Unmarshal([]byte(h.text(h.request("POST", "/api/hub/token/test", ""), 200)), &out); err != nil {
		h.t.Fatal(err)
	}
	return out
}

func TestTheHubsTokenFromItsSettingToItsRemoval(t *testing.T) {
	secrets.New(t)
	h := newHouse(t)
	h.withToken = true
	if got := get[admin.SecretState](h, "/api/hub/token"); got != (admin.SecretState{Source: "none", State: "none"}) {
		t.Errorf("at first: %+v", got)
	}
	if got := h.testToken(); got.OK || !strings.Contains(got.Problem.Detail, "set one first") || len(h.hub.Requests()) != 0 {
		t.Errorf("without one: %+v, and the Hub was asked %d times", got.Problem, len(h.hub.Requests()))
	}
	h.text(h.request("PUT", "/api/hub/token", `{"key": "hf_wrong"}`), 200)
	if got := h.testToken(); got.OK || got.Problem.Kind != string(problem.HubRefused) || !strings.Contains(got.Problem.Detail, "does not take the token") {
		t.Errorf("with a wrong one: %+v", got)
	}
	set := h.text(h.request("PUT", "/api/hub/token", `{"key": "hf_secret"}`), 200)
	if strings.Contains(set, "hf_secret") || !strings.Contains(set, `"state":"in-keychain"`) {
		t.Errorf("the answer is %s", set)
	}
	if got := h.testToken(); !got.OK || got.Account != fakehub.Account || got.Problem != nil {
		t.Errorf("with the right one: %+v", got)
	}
	// It is the one that the command line keeps, and counts at once.
	if kept, err := keychain.Get(t.Context(), hub.TokenName); err != nil || kept != "hf_secret" {
		t.Errorf("the keychain has %q, %v", kept, err)
	}
	h.text(h.request("GET", "/api/hub/files?repo=maker/Gated-GGUF", ""), 200)

	for _, want := range []string{`"removed":true`, `"removed":false`} {
		if said := h.text(h.request("DELETE", "/api/hub/token", ""), 200); !strings.Contains(said, want) {
			t.Errorf("removed: %s, want %s", said, want)
		}
	}
	if _, err := keychain.Get(t.Context(), hub.TokenName); !errors.Is(err, keychain.ErrNotFound) {
		t.Error(err)
	}
	h.problem(h.request("GET", "/api/hub/files?repo=maker/Gated-GGUF", ""), problem.HubRefused)
	if strings.Contains(h.log.String(), "hf_") {
		t.Errorf("the log has it: %s", h.log)
	}
}

func TestWhatIsNoTokenIsRefusedAndNotRepeated(t *testing.T) {
	secrets.New(t)
	h := newHouse(t)
	for _, key := range []string{"", "two words", "ä", strings.Repeat("x", 501)} {
		body, _ := json.Marshal(map[string]string{"key": key})
		d := h.problem(h.request("PUT", "/api/hub/token", string(body)), problem.InvalidRequest)
		if len(d.Errors) != 1 || d.Errors[0].Location != "body.key" || d.Errors[0].Value != nil {
			t.Errorf("of %.20q: %+v", key, d.Errors)
		}
	}
}

// A variable stands over the keychain, and one that is set to nothing keeps it out.
func TestTheHubsTokenFromAVariable(t *testing.T) {
	secrets.New(t)
	h := newHouse(t)
	h.withToken = true
	for value, want := range map[string]admin.SecretState{
		"hf_secret": {Source: "variable", State: "variable-set"}, "": {Source: "variable", State: "none"}, "two words": {Source: "variable", State: "variable-not-set"},
	} {
		t.Setenv(hub.TokenName, value)
		got := get[admin.SecretState](h, "/api/hub/token")
		if got.Source != want.Source || got.State != want.State || (got.Detail == "") != (value == "hf_secret") || strings.Contains(got.Detail, "words") {
			t.Errorf("%q: %+v", value, got)
		}
		if ok := h.testToken().OK; ok != (value == "hf_secret") {
			t.Errorf("%q: the test says %v", value, ok)
		}
		h.problem(h.request("PUT", "/api/hub/token", `{"key": "hf_other"}`), problem.Conflict)
	}
}

func TestTheHubsTokenBehindALock(t *testing.T) {
	bus := secrets.New(t)
	h := newHouse(t)
	h.text(h.request("PUT", "/api/hub/token", `{"key": "hf_secret"}`), 200)
	bus.Lock()
	if got := get[admin.SecretState](h, "/api/hub/token"); got.Source != "keychain" || got.State != "keychain-locked" || !strings.Contains(got.Detail, "unlock it") {
		t.Errorf("%+v", got)
	}
}

func TestWithoutAKeychainTheHubsTokenHasNoPlace(t *testing.T) {
	secrets.NewBus(t)
	h := newHouse(t)
	if got := get[admin.SecretState](h, "/api/hub/token"); got.State != "no-keychain" || !strings.Contains(got.Detail, hub.TokenName) {
		t.Errorf("%+v", got)
	}
	for _, method := range []string{"PUT", "DELETE"} {
		if d := h.problem(h.request(method, "/api/hub/token", `{"key": "hf_secret"}`), problem.KeychainUnavailable); !strings.Contains(d.Detail, hub.TokenName) {
			t.Errorf("%s: %s", method, d.Detail)
		}
	}
}

func TestLocalOnlyTestsNoToken(t *testing.T) {
	secrets.New(t)
	h := newHouse(t)
	h.withToken = true
	h.text(h.request("PUT", "/api/hub/token", `{"key": "hf_secret"}`), 200)
	h.text(h.request("PATCH", "/api/settings", `{"local_only": true}`), 200)
	h.problem(h.request("POST", "/api/hub/token/test", ""), problem.LocalOnly)
	if n := len(h.hub.Requests()); n != 0 {
		t.Errorf("the Hub was asked %d times", n)
	}
}
