package gateway_test

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"mlxbar/backend/access"
	"mlxbar/backend/audit"
	"mlxbar/backend/settings"
)

// guarded is a house that gives out keys, and requires them if it says so.
func guarded(t *testing.T, required bool) *house {
	return newHouse(t, func(s *settings.Settings) { s.Server.RequireAPIKey = required })
}

func (h *house) key(l access.Limits) (access.Key, string) {
	h.t.Helper()
	k, secret, err := h.keys.Create(h.t.Context(), "editor", l, time.Now())
	if err != nil {
		h.t.Fatal(err)
	}
	return k, secret
}

func bearer(secret string) func(*http.Request) { return header("Authorization", "Bearer "+secret) }

// both are the headers of Claude Code where a person has a key of Anthropic's in the environment.
func both(authorization, apiKey string) func(*http.Request) {
	return func(r *http.Request) { bearer(authorization)(r); header("X-Api-Key", apiKey)(r) }
}

func TestAKeyIsRequired(t *testing.T) {
	h := guarded(t, true)
	_, secret := h.key(access.Limits{})
	const chatPath = "/v1/chat/completions"
	for _, c := range []struct {
		name, method, path string
		send               func(*http.Request)
		status             int
		says               string
	}{
		{"none", "POST", chatPath, nil, 401, "has no API key"},
		{"a wrong one", "POST", chatPath, bearer(secret + "x"), 401, "gave out"},
		{"a wrong scheme", "POST", chatPath, header("Authorization", "Basic "+secret), 401, "gave out"},
		{"as OpenAI's clients send it", "POST", chatPath, bearer(secret), 200, ""},
		{"as Anthropic's clients send it", "POST", chatPath, header("X-Api-Key", secret), 200, ""},
		{"beside one of another place", "POST", chatPath, both(secret, "sk-ant-elsewhere"), 200, ""},
		{"and the other way round", "POST", chatPath, both("sk-elsewhere", secret), 200, ""},
		{"two of other places", "POST", chatPath, both("sk-elsewhere", "sk-ant-elsewhere"), 401, "gave out"},
		{"none for the models", "GET", "/v1/models", nil, 401, "has no API key"},
		{"one for the models", "GET", "/v1/models", bearer(secret), 200, ""},
		{"none for one model", "GET", "/v1/models/ok", nil, 401, "has no API key"},
		{"from the house's own pages", "POST", chatPath, header("Cookie", "owner=1"), 200, ""},
		{"for whether it is well", "GET", "/healthz", nil, 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := ""
			if c.method == "POST" {
				body = chat("ok", false)
			}
			var change []func(*http.Request)
			if c.send != nil {
				change = append(change, c.send)
			}
			resp := h.request(c.method, c.path, body, change...)
			if resp.StatusCode != c.status {
				t.Fatalf("%d", resp.StatusCode)
			}
			if c.status != 401 {
				return
			}
			doc := readProblem(t, resp)
			if !strings.Contains(doc.Detail, c.says) || doc.Error.Type != "authentication_error" || *doc.Error.Code != "invalid_api_key" || resp.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%+v", doc)
			}
		})
	}
	if log := h.log.String(); strings.Contains(log, secret[:20]) {
		t.Errorf("the log holds a part of the key: %s", log)
	}
}

func TestWhatIsRefusedForItsKeyIsRecordedToo(t *testing.T) {
	h := guarded(t, true)
	readProblem(t, h.request("POST", "/v1/chat/completions", chat("ok", false)))
	if rec := h.only(); rec.Status != audit.Failed || rec.ErrorType != "invalid-api-key" || *rec.HTTPStatus != 401 || rec.Attempts != 0 {
		t.Errorf("record %+v", rec)
	}
	if got := h.asked(); len(got) != 0 {
		t.Errorf("the upstream was asked for %q", got)
	}
}

// Clients that were told nothing of keys send something all the same.
func TestAKeyThatIsNotRequiredMayBeAnything(t *testing.T) {
	h := guarded(t, false)
	resp := h.request("POST", "/v1/chat/completions", chat("ok", false), bearer("not-needed"))
	if readBody(t, resp); resp.StatusCode != http.StatusOK {
		t.Errorf("%d", resp.StatusCode)
	}
	if rec := h.only(); rec.KeyID != "" {
		t.Errorf("record %+v", rec)
	}
}

func TestARecordNamesTheKey(t *testing.T) {
	h := guarded(t, false)
	k, secret := h.key(access.Limits{TokensPerDay: 20})
	resp := h.request("POST", "/v1/chat/completions", chat("ok", false), bearer(secret))
	if readBody(t, resp); resp.Header.Get("X-Ratelimit-Limit-Tokens") != "20" || resp.Header.Get("X-Ratelimit-Remaining-Tokens") != "20" || resp.Header.Get("X-Ratelimit-Limit-Requests") != "" {
		t.Errorf("the answer's head says %v", resp.Header)
	}
	rec := h.only()
	if rec.KeyID != k.ID || *rec.TotalTokens != 19 {
		t.Errorf("record %+v", rec)
	}
	readBody(t, h.request("POST", "/v1/chat/completions", chat("ok", false), bearer(secret)))
	resp = h.request("POST", "/v1/chat/completions", chat("ok", false), bearer(secret))
	doc := readProblem(t, resp)
	if doc.Status != http.StatusTooManyRequests || !strings.Contains(doc.Detail, "tokens_per_day") || resp.Header.Get("Retry-After") == "" || resp.Header.Get("X-Ratelimit-Remaining-Tokens") != "0" {
		t.Errorf("%+v, %v", doc, resp.Header)
	}
}

func TestRequestsPerMinuteAreLimited(t *testing.T) {
	h := guarded(t, true)
	_, secret := h.key(access.Limits{RequestsPerMinute: 2})
	began := time.Now()
	for want := 1; want >= 0; want-- {
		resp := h.request("POST", "/v1/chat/completions", chat("ok", true), bearer(secret))
		if body := readBody(t, resp); resp.StatusCode != http.StatusOK || resp.Header.Get("X-Ratelimit-Remaining-Requests") != string(rune('0'+want)) {
			t.Errorf("%d %v %s", resp.StatusCode, resp.Header, body)
		}
	}
	resp := h.request("POST", "/v1/chat/completions", chat("ok", true), bearer(secret))
	// Half a minute after the first one there is one again.
	waited := int(math.Ceil(time.Since(began).Seconds()))
	after, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if doc := readProblem(t, resp); doc.Status != http.StatusTooManyRequests || err != nil || after > 30 || after < 30-waited || resp.Header.Get("X-Ratelimit-Remaining-Requests") != "0" {
		t.Errorf("%d s later: %+v, %v", waited, doc, resp.Header)
	}
}

func TestAKeyMayAskItsModels(t *testing.T) {
	h := guarded(t, true)
	_, secret := h.key(access.Limits{Models: []string{"far/*"}})
	resp := h.request("POST", "/v1/chat/completions", chat("ok", false), bearer(secret))
	if doc := readProblem(t, resp); doc.Status != http.StatusForbidden || !strings.Contains(doc.Detail, "it may ask: far/*") {
		t.Errorf("%+v", doc)
	}
	if rec := h.only(); rec.ErrorType != "model-not-allowed" {
		t.Errorf("record %+v", rec)
	}
}
