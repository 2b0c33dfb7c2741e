package gateway_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mlxbar/backend/audit"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/keychain"
	"mlxbar/backend/settings"
	"mlxbar/backend/testkit/secrets"
	"mlxbar/backend/testkit/upstream"
)

const keptKey = "sk-canary-of-the-keychain"

// keptFar is a house whose provider far takes its key from the keychain, under the name mine.
func keptFar(t *testing.T, change func(*settings.Settings), opts ...upstream.Option) *house {
	t.Helper()
	return newHouse(t, func(s *settings.Settings) {
		s.Providers[0].APIKeyEnv, s.Providers[0].APIKeyKeychain = "", "mine"
		s.Routes = append(s.Routes, settings.Route{Model: "any", Targets: []settings.Target{far("ok")}})
		if change != nil {
			change(s)
		}
	}, opts...)
}

func keep(t *testing.T, key string) {
	t.Helper()
	if err := keychain.Set(t.Context(), "provider:mine", key); err != nil {
		t.Fatal(err)
	}
}

func TestAProviderIsAskedWithItsKeyOfTheKeychain(t *testing.T) {
	bus := secrets.New(t)
	keep(t, keptKey)
	h := keptFar(t, nil, upstream.Key(keptKey))
	for range 3 {
		if resp := h.request("POST", "/v1/chat/completions", chat("any", false)); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", resp.Status, readBody(t, resp))
		}
		bus.Freeze() // the second and third one do without the keychain
	}
	if strings.Contains(h.log.String(), keptKey) {
		t.Error("the log has the key")
	}
}

// A provider whose key is not to be had is not asked at all, and another target may answer.
func TestNoRequestGoesWithoutAKeyThatWasSet(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(*testing.T)
		says    string
	}{
		"a locked keychain": {func(t *testing.T) {
			bus := secrets.New(t)
			keep(t, keptKey)
			bus.Lock()
		}, "locked; unlock it"},
		"no keychain":           {func(t *testing.T) { secrets.NewBus(t) }, "there is none in the server's session"},
		"a keychain without it": {func(t *testing.T) { secrets.New(t) }, "mlxbar providers set-key far"},
	} {
		t.Run(name, func(t *testing.T) {
			c.prepare(t)
			h := keptFar(t, func(s *settings.Settings) {
				s.Routes = append(s.Routes, settings.Route{Model: "both", Targets: []settings.Target{far("ok"), here("ok")}})
			})
			resp := h.request("POST", "/v1/chat/completions", chat("any", false))
			if d := readProblem(t, resp); d.Type != "/problems/"+string(problem.UpstreamKey) || !strings.HasPrefix(d.Detail, "Provider far ") || !strings.Contains(d.Detail, c.says) {
				t.Errorf("%+v", d)
			}
			if r := h.only(); r.Status != audit.Failed || r.ErrorType != string(problem.UpstreamKey) || r.Provider != "far" {
				t.Errorf("%+v", r)
			}
			if asked := h.asked(); len(asked) > 0 {
				t.Errorf("the provider was asked: %v", asked)
			}
			resp = h.request("POST", "/v1/chat/completions", chat("both", false))
			if resp.StatusCode != http.StatusOK || resp.Header.Get("X-Mlxbar-Failed") != "far=upstream-key" {
				t.Errorf("with another target: %s, %v", resp.Status, resp.Header)
			}
		})
	}
}

// A certificate that nobody knows is told from an address where nobody is.
func TestACertificateThatNobodyKnowsIsNamed(t *testing.T) {
	other := httptest.NewUnstartedServer(http.NotFoundHandler())
	h := newHouse(t, func(s *settings.Settings) {
		other.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of each client that leaves
		other.StartTLS()
		t.Cleanup(other.Close)
		s.Providers[0].BaseURL = other.URL + "/v1"
	})
	resp := h.request("POST", "/v1/chat/completions", chat("far/ok", false))
	if d := readProblem(t, resp); resp.StatusCode != http.StatusBadGateway || d.Detail != "Provider far cannot be reached: its certificate is from nobody whom this machine trusts." {
		t.Errorf("%+v", d)
	}
	if r := h.only(); r.ErrorType != string(problem.UpstreamUnreachable) {
		t.Errorf("%+v", r)
	}
}
