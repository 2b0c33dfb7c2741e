package gateway_test

import (
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mlxbar/backend/audit"
	"mlxbar/backend/prices"
	"mlxbar/backend/settings"
)

// elsewhere is the address of a server of this machine by a name that mlxbar does not know as this machine's: the
// nearest to a server elsewhere that a test can reach.
func elsewhere(url string) string { return strings.Replace(url, "127.0.0.1", "0.0.0.0", 1) }

// abroad is a house in which the model "any" goes to targets, of which "far" and "claude" are elsewhere and "near" is not.
func abroad(t *testing.T, targets ...settings.Target) *house {
	h := newHouse(t, func(s *settings.Settings) {
		url := s.Providers[0].BaseURL
		s.Providers = []settings.Provider{
			{Name: "far", Kind: settings.KindOpenAI, BaseURL: elsewhere(url)},
			{Name: "claude", Kind: settings.KindAnthropic, BaseURL: elsewhere(url)},
			{Name: "near", Kind: settings.KindOpenAI, BaseURL: url},
			{Name: "away", Kind: settings.KindOpenAI, BaseURL: "http://0.0.0.0:9/v1"},
		}
		s.Routes = []settings.Route{{Model: "any", Targets: targets}}
	})
	path := filepath.Join(t.TempDir(), "prices.json")
	if err := os.WriteFile(path, []byte(`{"version": 1, "currency": "USD", "prices": [
		{"models": ["ok*", "usage*"], "kind": "openai", "host": "0.0.0.0", "from": "2020-01-01", "input": 1000, "output": 10000, "source": "https://example.com", "seen": "2026-01-01"},
		{"models": ["ok*"], "kind": "anthropic", "from": "2020-01-01", "input": 2000, "output": 20000, "source": "https://example.com", "seen": "2026-01-01"},
		{"models": ["later"], "kind": "openai", "from": "2999-01-01", "input": 1, "source": "https://example.com", "seen": "2026-01-01"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	table, err := prices.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	h.prices.Store(table)
	return h
}

func to(provider, model string) settings.Target {
	return settings.Target{Provider: provider, Model: model}
}

func TestARecordTellsWhomItsRequestLeftTo(t *testing.T) {
	for _, c := range []struct {
		name    string
		targets []settings.Target
		stream  bool
		left    string // the providers, each with the status of its answer
		cost    float64
	}{
		{"an answer from elsewhere", []settings.Target{to("far", "ok-3")}, false, "far=200", .011 + .03},
		{"as a stream", []settings.Target{to("far", "ok-3")}, true, "far=200", .011 + .03},
		{"by another protocol", []settings.Target{to("claude", "ok-3")}, false, "claude=200", .022 + .06},
		{"this machine", []settings.Target{here("ok")}, true, "", 0},
		{"a server of this machine", []settings.Target{to("near", "ok-3")}, false, "", 0},
		{"taken elsewhere, answered here", []settings.Target{to("far", "status-500"), here("ok")}, false, "far=500", 0},
		{"cut off elsewhere, answered here", []settings.Target{to("far", "cut-headers"), here("ok")}, false, "far=0", 0},
		{"two elsewhere", []settings.Target{to("far", "status-503"), to("claude", "ok-3")}, false, "far=503 claude=200", .022 + .06},
		{"the same one twice", []settings.Target{to("far", "status-500"), to("far", "ok-3")}, false, "far=200", .011 + .03},
		{"nobody there", []settings.Target{to("away", "ok-3"), here("ok")}, false, "", 0},
		{"refused elsewhere", []settings.Target{to("far", "status-422")}, false, "far=422", 0},
		{"a stream that broke off", []settings.Target{to("far", "cut")}, true, "far=200", 0},
		{"a model without a price", []settings.Target{to("far", "crlf")}, true, "far=200", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := abroad(t, c.targets...)
			body := chat("any", c.stream)
			resp := h.request("POST", "/v1/chat/completions", body)
			io.Copy(io.Discard, resp.Body) // some break off
			rec := h.only()
			var got []string
			for _, d := range rec.Left {
				got = append(got, d.Provider+"="+http.StatusText(int(d.HTTPStatus)))
				if d.BytesOut < int64(len(body))/2 {
					t.Errorf("%d bytes were sent to %s; the request has %d", d.BytesOut, d.Provider, len(body))
				}
				if d.HTTPStatus == 0 != (d.BytesIn == 0) {
					t.Errorf("%d bytes came from %s, which answered with %d", d.BytesIn, d.Provider, d.HTTPStatus)
				}
			}
			var want []string
			for _, l := range strings.Fields(c.left) {
				name, status, _ := strings.Cut(l, "=")
				n := map[string]int{"200": 200, "422": 422, "500": 500, "503": 503}[status]
				want = append(want, name+"="+http.StatusText(n))
			}
			if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("left to (-want +got)\n%s", diff)
			}
			switch {
			case c.cost == 0 && rec.CostUSD != nil:
				t.Errorf("it cost %g, which nobody can know", *rec.CostUSD)
			case c.cost > 0 && (rec.CostUSD == nil || math.Abs(*rec.CostUSD-c.cost) > 1e-9):
				t.Errorf("it cost %v, want %g", rec.CostUSD, c.cost)
			}
		})
	}
}

// What came and went is what the other side says of it.
func TestBytesAreThoseOfTheBodies(t *testing.T) {
	for _, stream := range []bool{false, true} {
		h := abroad(t, to("far", "usage-3"))
		resp := h.request("POST", "/v1/chat/completions", strings.Replace(chat("any", stream), `"stream"`, `"stream_options":{"include_usage":true},"stream"`, 1))
		body := readBody(t, resp)
		rec := h.only()
		if len(rec.Left) != 1 {
			t.Fatalf("%+v", rec)
		}
		// A stream may have come further by a last empty line when its record was complete.
		if d := rec.Left[0]; d.BytesIn > int64(len(body)) || d.BytesIn < int64(len(body))-2 {
			t.Errorf("stream %v: %d bytes in, %d were passed on", stream, d.BytesIn, len(body))
		}
		if sent := h.upstream.Requests(); int64(len(sent[0].Body)) != rec.Left[0].BytesOut {
			t.Errorf("stream %v: %d bytes out, %d arrived", stream, rec.Left[0].BytesOut, len(sent[0].Body))
		}
	}
}

// Should the server die, nobody can say afterwards whether it left.
func TestARunningRequestThatIsSentElsewhereSaysSo(t *testing.T) {
	h := abroad(t, to("far", "slow-idle=60s"))
	h.request("POST", "/v1/chat/completions", chat("any", true), header("X-Request-ID", "running-1"))
	if err := h.recorder.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	rec, err := h.records.Find(t.Context(), "running-1")
	if err != nil || rec.Status != audit.Running || len(rec.Left) != 1 || rec.Left[0].Provider != "far" {
		t.Errorf("record %+v, %v", rec, err)
	}
	h.cancel("running-1")
	h.noneRuns()
	if rec := h.only(); rec.Status != audit.Cancelled || len(rec.Left) != 1 || rec.Left[0].BytesIn == 0 || rec.CostUSD != nil {
		t.Errorf("record %+v", rec)
	}
}

func TestCountingTokensElsewhereCostsNothing(t *testing.T) {
	h := abroad(t, to("claude", "ok"))
	resp := h.request("POST", "/v1/messages/count_tokens", `{"model":"any","messages":[{"role":"user","content":"hello"}]}`, header("Anthropic-Version", "2023-06-01"))
	if body := readBody(t, resp); resp.StatusCode != http.StatusOK || !strings.Contains(body, "input_tokens") {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	if rec := h.only(); rec.CostUSD == nil || *rec.CostUSD != 0 || rec.PromptTokens != nil || len(rec.Left) != 1 {
		t.Errorf("record %+v", rec)
	}
}
