package e2e

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"mlxbar/backend/audit"
	"mlxbar/backend/settings"
	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/upstream"
)

// badUpstreams are scripts, and the status in the record of what an upstream that follows them is asked for as a stream.
var badUpstreams = map[string]audit.Status{
	"html": audit.Failed, "empty": audit.Failed, "redirect": audit.Failed, "malformed-json": audit.Failed, "malformed-sse": audit.Failed,
	"cut": audit.Failed, "cut-clean": audit.Failed, "error-event": audit.Failed, "huge-event-7168": audit.Success, "huge-event-10240": audit.Failed,
	"twins": audit.Failed, "no-json": audit.Failed,
}

// silent ones say nothing more, but that they are there; they have to have a limit.
var silent = map[string]audit.Status{"pings=50ms": audit.TimedOut}

var goroutines = regexp.MustCompile(`(?m)^go_goroutine_count(?:\{[^}]*\})? ([0-9.e+]+)$`)

// running is how many goroutines the server has.
func (h *house) running(t *testing.T) int {
	t.Helper()
	_, raw := h.ask(http.MethodGet, "/metrics", "")
	m := goroutines.FindSubmatch(raw)
	if m == nil {
		t.Fatal("the metrics have no count of goroutines")
	}
	n, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// Whatever an upstream sends, the server says what is wrong, records it, and keeps neither a goroutine nor a connection for it.
func TestTheServerComesToAnEndWithEveryBadUpstream(t *testing.T) {
	plain := testkit.NewUpstream(t, upstream.WithoutResponses())
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	h := newHouse(t, trilingual(plain), func(s *settings.Settings) {
		s.Providers = append(s.Providers, settings.Provider{Name: "forged", Kind: settings.KindAnthropic, BaseURL: secure.URL + "/v1"})
		s.Routes = append(s.Routes, settings.Route{Model: "forged/*", Targets: []settings.Target{{Provider: "forged"}}})
	})
	h.streams(t, "/v1/messages", "claude/ok") // what is made once is made
	before := h.running(t)
	h.comesToAnEnd(t, badUpstreams)
	h.api("PATCH", "/api/settings", `{"timeouts":{"idle":"1s"}}`, nil)
	h.comesToAnEnd(t, silent)
	h.nothingRuns(plain)
	h.eventually("the server's goroutines have ended", func() bool { return h.running(t) <= before })
}

// comesToAnEnd has every protocol ask providers of its own and of another's, and one whose certificate nobody vouches for.
func (h *house) comesToAnEnd(t *testing.T, scripts map[string]audit.Status) {
	t.Helper()
	want := map[string]audit.Status{}
	var all sync.WaitGroup
	for script, status := range scripts {
		for path, providers := range map[string][]string{"/v1/chat/completions": {"far", "claude"}, "/v1/messages": {"far", "claude"}, "/v1/responses": {"far", "plain"}} {
			for _, provider := range providers {
				model := provider + path + "/" + script
				want[model] = status
				all.Go(func() { h.streams(t, path, model) })
			}
		}
	}
	all.Go(func() {
		if body := h.streams(t, "/v1/messages", "forged/ok"); !strings.Contains(body, "certificate") {
			t.Errorf("nothing of the certificate: %s", body)
		}
	})
	want["forged/ok"] = audit.Failed
	all.Wait()
	h.eventually("the requests are recorded, as they ended", func() bool {
		for _, r := range h.records() {
			if want[r.Model] == r.Status {
				delete(want, r.Model)
			}
		}
		return len(want) == 0
	})
}

// streams asks for a stream and reads to its end, whatever that is.
func (h *house) streams(t *testing.T, path, model string) string {
	t.Helper()
	body := fmt.Sprintf(`{"model":%q,"stream":true,"max_tokens":9,"messages":[{"role":"user","content":%q}]}`, model, h.secrets.prompt)
	if path == "/v1/responses" {
		body = fmt.Sprintf(`{"model":%q,"stream":true,"input":%q}`, model, h.secrets.prompt)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+path, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return ""
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(resp.Body) // a cut is what many of them end with
	return string(raw)
}
