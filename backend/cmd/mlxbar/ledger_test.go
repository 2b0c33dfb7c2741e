package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mlxbar/backend/testkit"
)

// A server of this machine by a name that is not this machine's: the nearest to one elsewhere.
func TestTheLedgerWithTheServerRunningAndStopped(t *testing.T) {
	zone := noon(t)
	h := newHouse(t)
	h.provider(strings.Replace(testkit.NewUpstream(t).URL, "127.0.0.1", "0.0.0.0", 1))
	h.write(h.paths.Prices, `{"version": 1, "currency": "USD", "prices": [{"models": ["ok*"], "kind": "openai", "from": "2020-01-01",
		"input": 1000, "output": 10000, "source": "https://example.com", "seen": "2026-01-01"}]}`)
	p := h.serve()
	for _, model := range []string{"ok-3", "status-500"} {
		resp := p.ask(model, false)
		io.Copy(io.Discard, resp.Body)
	}
	look := func(t *testing.T) {
		told := h.good("ledger")
		for _, part := range []string{"far", "$0.04 to far: 2 requests, 14 tokens", "0 requests on this machine"} {
			if !strings.Contains(told, part) {
				t.Errorf("%q is not in\n%s", part, told)
			}
		}
		rows, err := csv.NewReader(strings.NewReader(h.good("ledger", "export", "--zone", zone))).ReadAll()
		if err != nil || len(rows) != 2 || rows[1][1] != "far" || rows[1][2] != "true" || rows[1][3] != "2" || rows[1][4] != "1" || rows[1][10] != "0.041" {
			t.Errorf("%v, %q", err, rows)
		}
		dest := filepath.Join(t.TempDir(), "ledger.jsonl")
		h.good("ledger", "export", "--format", "jsonl", "--output", dest)
		if raw, err := os.ReadFile(dest); err != nil || !strings.Contains(string(raw), `"provider":"far","left":true,"requests":2`) {
			t.Errorf("%v, %s", err, raw)
		}
		if got := h.good("ledger", "--from", "2020-01-01", "--to", "2020-01-31"); !strings.Contains(got, "Nothing left this machine.") {
			t.Errorf("of a month without requests: %s", got)
		}
	}
	t.Run("running", look)
	p.signal(syscall.SIGTERM)
	p.ends()
	t.Run("stopped", look)

	h.refused([]string{"ledger", "--from", "soon"}, "--from", "2026-01-31")
	h.refused([]string{"ledger", "export", "--format", "xml"}, "csv or jsonl")
	h.write(h.paths.Prices, `{"version": 1}`)
	h.refused([]string{"ledger"}, "prices.json", "currency must be USD")
}

// noon has the programs of a test run where it is about noon, so that no day or month ends meanwhile.
func noon(t *testing.T) (zone string) {
	zone = fmt.Sprintf("Etc/GMT%+d", time.Now().UTC().Hour()-12) // whose sign says how far it is back to Greenwich
	t.Setenv("TZ", zone)
	return zone
}

func TestAWrongFileOfPricesIsToldAndStopsNothing(t *testing.T) {
	h := newHouse(t)
	h.provider(testkit.NewUpstream(t).URL)
	h.write(h.paths.Prices, `{"version": 1, "currency": "USD", "prices": [{"model": "ok"}]}`)
	p := h.serve()
	if resp := p.ask("ok-3", false); resp.StatusCode != 200 {
		t.Errorf("a request is answered with %s", resp.Status)
	}
	if raw, err := os.ReadFile(h.paths.Log); err != nil || !strings.Contains(string(raw), `unknown field`) || !strings.Contains(string(raw), "prices[0]") {
		t.Errorf("the log does not tell of it: %v", err)
	}
}
