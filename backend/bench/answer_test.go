package bench_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mlxbar/backend/bench"
	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStream(t *testing.T) {
	up := testkit.NewUpstream(t, upstream.Key("k"))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, c := range []struct {
		model string
		kind  bench.FailureKind
		err   string
	}{
		{"ok-12", "", ""},
		{"crlf-12", "", ""},
		{"comments-12", "", ""},
		{"slow-idle-12=1ms", "", ""},
		{"no-done-12", bench.Cut, "without [DONE]"},
		{"cut-clean", bench.Cut, "without [DONE]"},
		{"cut", bench.Cut, "EOF"},
		{"cut-headers", bench.Cut, "EOF"},
		{"malformed-json", bench.Malformed, "event of the stream"},
		{"html", bench.Malformed, "text/html"},
		{"error-event", bench.ErrorInAnswer, "brought an error"},
		{"status-503", "status_503", "503"},
	} {
		t.Run(c.model, func(t *testing.T) {
			body := fmt.Sprintf(`{"model":%q,"stream":true,"stream_options":{"include_usage":true},"messages":[]}`, c.model)
			r, err := bench.Stream(t.Context(), client, bench.Ask{BaseURL: up.URL, Key: "k", Body: body})
			if c.err != "" {
				if f := bench.FailureOf(err); f == nil || f.Kind != c.kind || !strings.Contains(err.Error(), c.err) || f.Detail != "" {
					t.Errorf("error %v (%+v), want %q of the kind %s and no foreign words to show", err, f, c.err, c.kind)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if r.Tokens != 12 || r.Events != 12 || r.Text != upstream.Text(12) {
				t.Errorf("%+v", r)
			}
			if r.First <= 0 || r.First > r.Last || r.Last > r.Total || r.TokensPerSecond() <= 0 {
				t.Errorf("times out of order: %+v", r)
			}
			if len(r.Gaps) != 11 || sum(r.Gaps) != r.Last-r.First {
				t.Errorf("the gaps %v do not lead from %v to %v", r.Gaps, r.First, r.Last)
			}
			if !r.Counted || r.PromptTokens != upstream.PromptTokens || r.CachedTokens != upstream.CachedTokens || r.Engine != nil || r.Fingerprint != "fp_upstream" {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestStreamNeedsTheKey(t *testing.T) {
	up := testkit.NewUpstream(t, upstream.Key("k"))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if _, err := bench.Stream(t.Context(), client, bench.Ask{BaseURL: up.URL, Body: `{}`}); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("%v", err)
	}
}

func sum(all []time.Duration) (total time.Duration) {
	for _, d := range all {
		total += d
	}
	return total
}

func TestWhole(t *testing.T) {
	up := testkit.NewUpstream(t)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, c := range []struct {
		model string
		kind  bench.FailureKind
	}{
		{"ok-12", ""},
		{"timings-12", ""},
		{"cut", bench.Cut},
		{"malformed-json", bench.Malformed},
		{"html", bench.Malformed},
		{"empty", bench.Malformed},
		{"error-event", bench.ErrorInAnswer},
		{"status-429", "status_429"},
		{"nobody", "status_404"},
	} {
		r, err := bench.Whole(t.Context(), client, bench.Ask{BaseURL: up.URL, Body: fmt.Sprintf(`{"model":%q,"messages":[]}`, c.model)})
		switch f := bench.FailureOf(err); {
		case c.kind != "":
			if f == nil || f.Kind != c.kind {
				t.Errorf("%s: %v, want %s", c.model, err, c.kind)
			}
			if c.model == "nobody" && f.Code != "model_not_found" {
				t.Errorf("code %q", f.Code)
			}
		case err != nil || r.Tokens != 12 || r.Text != upstream.Text(12) || r.Total <= 0 || r.First != 0 || r.Gaps != nil:
			t.Errorf("%s: %+v, %v", c.model, r, err)
		case c.model == "timings-12" && (r.Engine == nil || r.Engine.PromptMS != upstream.PromptMS || r.Engine.PredictedMS != upstream.GenerationMS || r.Engine.PredictedN != 12):
			t.Errorf("the engine's times are %+v", r.Engine)
		}
	}
}

func TestFailuresThatAreTheClientsOwn(t *testing.T) {
	up := testkit.NewUpstream(t)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ask := bench.Ask{BaseURL: up.URL, Body: `{"model":"hang","messages":[]}`}
	late, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := bench.Whole(late, client, ask); bench.FailureOf(err) == nil || bench.FailureOf(err).Kind != bench.TimedOut {
		t.Errorf("%v, want a timeout", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := bench.Whole(gone, client, ask); bench.FailureOf(err) != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want a request that was cancelled and has not failed", err)
	}
	if err := up.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := bench.Whole(t.Context(), client, ask); bench.FailureOf(err) == nil || bench.FailureOf(err).Kind != bench.Unreachable {
		t.Errorf("%v, want a server that is not there", err)
	}
}
