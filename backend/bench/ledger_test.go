package bench

import (
	"strings"
	"testing"
)

func TestLedger(t *testing.T) {
	for _, c := range []struct {
		name string
		l    Ledger
		want string // "" when everything is accounted for
	}{
		{"exact", Ledger{Completed: 100, Upstream: 100, Rows: Rows{Total: 100, Success: 100}}, ""},
		{"cut in flight", Ledger{Completed: 100, CutAtMost: 8, Upstream: 106, Rows: Rows{Total: 108, Success: 103, Cancelled: 5}}, ""},
		{"a lost record", Ledger{Completed: 100, Upstream: 100, Rows: Rows{Total: 99, Success: 99}}, "only 99 recorded as successes"},
		{"lost while in flight", Ledger{Completed: 100, CutAtMost: 8, Upstream: 108, Rows: Rows{Total: 107, Success: 100, Cancelled: 7}}, "saw 108 requests and only 107"},
		{"invented", Ledger{Completed: 100, CutAtMost: 8, Upstream: 100, Rows: Rows{Total: 109, Success: 100, Cancelled: 9}}, "1 records are of requests that nobody sent"},
		{"success out of nothing", Ledger{Completed: 100, CutAtMost: 8, Upstream: 99, Rows: Rows{Total: 100, Success: 100}}, "upstream saw only 99"},
		{"never ended", Ledger{Completed: 1, CutAtMost: 1, Upstream: 2, Rows: Rows{Total: 2, Success: 1, Running: 1}}, "1 records never ended"},
		{"failed", Ledger{Completed: 1, CutAtMost: 1, Upstream: 2, Rows: Rows{Total: 2, Success: 1}}, "neither success nor cancelled"},
	} {
		got := strings.Join(c.l.Problems(), "\n")
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
