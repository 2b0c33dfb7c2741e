package bench_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

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
		err   string
	}{
		{"ok-12", ""},
		{"crlf-12", ""},
		{"comments-12", ""},
		{"slow-idle-12=1ms", ""},
		{"no-done-12", "without [DONE]"},
		{"cut-clean", "without [DONE]"},
		{"cut", "EOF"},
		{"cut-headers", "EOF"},
		{"malformed-json", "event of the stream"},
		{"error-event", "brought an error"},
		{"status-503", "503"},
	} {
		t.Run(c.model, func(t *testing.T) {
			body := fmt.Sprintf(`{"model":%q,"stream":true,"stream_options":{"include_usage":true},"messages":[]}`, c.model)
			r, err := bench.Stream(t.Context(), client, bench.Ask{BaseURL: up.URL, Key: "k", Body: body})
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error %v, want %q", err, c.err)
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
