package ledger

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"mlxbar/backend/audit"
	"mlxbar/backend/prices"
	"mlxbar/backend/storage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ptr[T any](v T) *T { return &v }

// store is an audit with one record for each of times, the odd ones of which left.
func store(t *testing.T, times ...string) *audit.Store {
	t.Helper()
	db, err := storage.Open(t.Context(), filepath.Join(t.TempDir(), "mlxbar.db"), storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	s := audit.NewStore(db)
	_, err = s.Import(t.Context(), func(yield func(*audit.Record) bool) {
		for i, text := range times {
			at, err := time.Parse(time.RFC3339, text)
			if err != nil {
				t.Fatal(err)
			}
			r := audit.Record{
				ID: int64(i + 1), RequestID: fmt.Sprint(i), StartedAt: at, Backend: audit.Local, Provider: "llamacpp", Status: audit.Success, Attempts: 1,
				PromptTokens: ptr[int64](1_000_000), CompletionTokens: ptr[int64](100_000), CachedTokens: ptr[int64](500_000),
			}
			if i%2 == 1 {
				r.Provider, r.CostUSD = "far", ptr(.5)
				r.Left = []audit.Departure{{Provider: "far", HTTPStatus: 200, BytesOut: 10, BytesIn: 20}}
			}
			if !yield(&r) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func query(t *testing.T, from, to, zone string) Query {
	t.Helper()
	p, faults := ParsePeriod(func(name string) string { return map[string]string{"from": from, "to": to, "zone": zone}[name] }, time.Now())
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	path := filepath.Join(t.TempDir(), "prices.json")
	if err := os.WriteFile(path, []byte(`{"version": 1, "currency": "USD", "prices": [
		{"models": ["m"], "kind": "openai", "from": "2026-01-01", "input": 1, "cached_input": 0.5, "output": 10, "source": "https://example.com", "seen": "2026-01-01"},
		{"models": ["m"], "kind": "openai", "from": "2026-03-29", "input": 2, "cached_input": 1, "output": 20, "source": "https://example.com", "seen": "2026-01-01"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	table, err := prices.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return Query{Period: p, Prices: table, CompareWith: "m"}
}

// lines are a report's, each in a few words.
func lines(t *testing.T, s *audit.Store, q Query) (list []string) {
	t.Helper()
	r, err := Read(t.Context(), s, q)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range r.Lines {
		list = append(list, fmt.Sprintf("%s %s %v %d", l.Day, l.Provider, l.Left, l.Requests))
	}
	return list
}

func TestDaysAreThoseOfThePersonsZone(t *testing.T) {
	s := store(t, "2026-03-28T22:59:59Z", "2026-03-28T23:00:00Z", "2026-03-29T21:59:59Z", "2026-03-29T22:00:00Z", "2026-03-29T23:59:59Z")
	for _, c := range []struct {
		zone, from, to string
		want           []string
	}{
		// The day on which Berlin's clocks go forward has 23 hours.
		{"Europe/Berlin", "2026-03-28", "2026-03-30", []string{
			"2026-03-30 far true 1", "2026-03-30 llamacpp false 1", "2026-03-29 far true 1", "2026-03-29 llamacpp false 1", "2026-03-28 llamacpp false 1"}},
		{"Europe/Berlin", "2026-03-29", "2026-03-29", []string{"2026-03-29 far true 1", "2026-03-29 llamacpp false 1"}},
		{"UTC", "2026-03-28", "2026-03-30", []string{"2026-03-29 far true 1", "2026-03-29 llamacpp false 2", "2026-03-28 far true 1", "2026-03-28 llamacpp false 1"}},
		// Five hours and three quarters before UTC.
		{"Asia/Kathmandu", "2026-03-28", "2026-03-30", []string{"2026-03-30 far true 1", "2026-03-30 llamacpp false 2", "2026-03-29 far true 1", "2026-03-29 llamacpp false 1"}},
	} {
		if diff := gocmp.Diff(c.want, lines(t, s, query(t, c.from, c.to, c.zone))); diff != "" {
			t.Errorf("%s, %s to %s (-want +got)\n%s", c.zone, c.from, c.to, diff)
		}
	}
}

func TestWhatWasAnsweredHereIsComparedByThePricesOfItsTime(t *testing.T) {
	s := store(t, "2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z", "2026-04-01T12:00:00Z", "2026-04-01T13:00:00Z")
	q := query(t, "2026-03-01", "2026-04-30", "UTC")
	r, err := Read(t.Context(), s, q)
	if err != nil {
		t.Fatal(err)
	}
	// Half of a million prompt tokens fresh, half cached, and a hundred thousand of the answer.
	if r.Here.WouldHaveCostUSD == nil || *r.Here.WouldHaveCostUSD != .5+.25+1+(1+.5+2) || r.Here.CostUSD != nil {
		t.Errorf("what was here: %+v", r.Here)
	}
	if r.Left.CostUSD == nil || *r.Left.CostUSD != 1 || r.Left.WouldHaveCostUSD != nil || r.Left.BytesOut != 20 || r.Left.BytesIn != 40 || r.Left.Requests != 2 {
		t.Errorf("what left: %+v", r.Left)
	}
	if len(r.Providers) != 2 || r.Providers[0].Provider != "far" || !r.Providers[0].Left || r.Providers[1].Requests != 2 {
		t.Errorf("the providers: %+v", r.Providers)
	}
	for _, model := range []string{"", "a model without a price"} {
		q.CompareWith = model
		if r, err := Read(t.Context(), s, q); err != nil || r.Here.WouldHaveCostUSD != nil || r.Left.CostUSD == nil {
			t.Errorf("compared with %q: %+v, %v", model, r.Here, err)
		}
	}
	q = query(t, "2025-12-01", "2025-12-31", "UTC")
	if r, err := Read(t.Context(), s, q); err != nil || len(r.Lines) != 0 || r.Lines == nil || r.Left.Requests != 0 || r.Left.CostUSD == nil || *r.Left.CostUSD != 0 {
		t.Errorf("of days without requests: %+v, %v", r, err)
	}
}

// A request that one provider took and failed, and another answered, left to both and is one request all the same; what it
// cost counts once.
func TestARequestThatWentToTwoCountsOnceInTheSum(t *testing.T) {
	db, err := storage.Open(t.Context(), filepath.Join(t.TempDir(), "mlxbar.db"), storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s := audit.NewStore(db)
	departed := func(provider string, status int64) audit.Departure {
		return audit.Departure{Provider: provider, HTTPStatus: status, BytesOut: 10, BytesIn: 20}
	}
	_, err = s.Import(t.Context(), func(yield func(*audit.Record) bool) {
		for i, left := range [][]audit.Departure{
			{departed("far", 500), departed("spare", 200)}, {departed("spare", 200)}, {departed("far", 500)},
		} {
			r := audit.Record{
				ID: int64(i + 1), RequestID: fmt.Sprint(i), StartedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Backend: audit.OpenAI, Provider: "spare",
				Status: audit.Success, Attempts: int64(len(left)), PromptTokens: ptr[int64](100), CompletionTokens: ptr[int64](10), CachedTokens: ptr[int64](0), CostUSD: ptr(.5), Left: left,
			}
			if i == 2 { // answered here in the end
				r.Backend, r.Provider, r.CostUSD, r.Attempts = audit.Local, "llamacpp", nil, 2
			}
			if !yield(&r) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Read(t.Context(), s, query(t, "2026-03-01", "2026-03-01", "UTC"))
	if err != nil {
		t.Fatal(err)
	}
	if l := r.Left; l.Requests != 3 || l.Repeated != 1 || *l.CostUSD != 1 || l.PromptTokens != 200 || l.BytesOut != 40 || l.BytesIn != 80 {
		t.Errorf("all that left: %+v", l)
	}
	if r.Here.Requests != 1 || r.Here.Repeated != 0 {
		t.Errorf("what was here: %+v", r.Here)
	}
	for i, want := range []Sum{{Requests: 2, Failed: 2, BytesOut: 20}, {Requests: 2, BytesOut: 20, Repeated: 1}} {
		if got := r.Providers[i]; got.Requests != want.Requests || got.Failed != want.Failed || got.BytesOut != want.BytesOut || got.Repeated != want.Repeated {
			t.Errorf("%s: %+v", got.Provider, got.Sum)
		}
	}
}

func TestAPeriodThatIsNoneIsRefused(t *testing.T) {
	now := time.Date(2026, 3, 1, 1, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		from, to, zone string
		want           string // the period, or the fault's place
	}{
		{"", "", "UTC", "2026-01-31 2026-03-01 UTC"},
		{"", "", "America/New_York", "2026-01-30 2026-02-28 America/New_York"},
		{"2026-02-01", "", "UTC", "2026-02-01 2026-03-01 UTC"},
		{"", "2026-01-31", "UTC", "2026-01-02 2026-01-31 UTC"},
		{"2026-02-02", "2026-02-01", "UTC", "to"},
		{"2026-2-1", "", "UTC", "from"},
		{"", "2026-02-30", "UTC", "to"},
		{"1969-01-01", "", "UTC", "from"},
		{"1980-01-01", "2026-01-01", "UTC", "from"},
		{"", "", "Mars/Olympus", "zone"},
		{"", "", "../../etc/passwd", "zone"},
	} {
		p, faults := ParsePeriod(func(name string) string { return map[string]string{"from": c.from, "to": c.to, "zone": c.zone}[name] }, now)
		got := p.From.Format(time.DateOnly) + " " + p.To.Format(time.DateOnly) + " " + p.Zone
		if len(faults) > 0 {
			got = faults[0].Location
		}
		if got != c.want {
			t.Errorf("%q to %q in %q: %s, want %s", c.from, c.to, c.zone, got, c.want)
		}
	}
}
