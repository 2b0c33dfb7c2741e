package audit

import (
	"cmp"
	"context"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// tallied reads all tallies, of whatever time, in order.
func tallied(t interface{ Fatal(...any) }, s *Store) []Tally {
	list, err := s.Tallies(context.Background(), time.UnixMilli(0), epoch.AddDate(10, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(list, func(a, b Tally) int {
		return cmp.Or(a.Quarter.Compare(b.Quarter), cmp.Compare(a.Provider, b.Provider), cmp.Compare(b2i(a.Away), b2i(b.Away)))
	})
	return list
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// checkTallies holds a few sums over all tallies to the records that are in sight.
func checkTallies(t interface {
	Fatal(...any)
	Fatalf(string, ...any)
}, s *Store, records []Record) {
	got, want := map[string]int64{}, map[string]int64{}
	for _, l := range tallied(t, s) {
		if l.Requests == 0 {
			t.Fatalf("an empty tally is left: %+v", l)
		}
		where := "here "
		if l.Away {
			where = "away "
		}
		got[where+l.Provider] += l.Requests
		got["out"] += l.BytesOut
		got["in"] += l.BytesIn
		got["nanos"] += l.CostNanos
		got["prompt"] += l.PromptTokens
		got["repeated"] += l.Repeated
		if l.Failed > l.Requests || l.Unpriced > l.Requests || l.Failed < 0 || l.Unpriced < 0 {
			t.Fatalf("%+v counts more than there were", l)
		}
	}
	for _, r := range records {
		if r.Status == Running {
			continue
		}
		answered := false
		for _, d := range r.Left {
			want["away "+d.Provider]++
			want["out"] += d.BytesOut
			want["in"] += d.BytesIn
			answered = answered || d.Provider == r.Provider
		}
		if !answered {
			want["here "+r.Provider]++
		}
		want["repeated"] += int64(max(len(r.Left)-1, 0))
		if r.TotalTokens != nil {
			want["nanos"] += nanos(*r.CostUSD)
			want["prompt"] += *r.PromptTokens
		}
	}
	for name, n := range want {
		if n == 0 {
			delete(want, name)
		}
	}
	for name, n := range got {
		if n == 0 {
			delete(got, name)
		}
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Fatalf("tallies (-records +tallies)\n%s", diff)
	}
}

func TestTalliesTellWhatLeftAndWhatItCost(t *testing.T) {
	db := openDB(t)
	next := int64(0)
	record := func(at time.Time, provider string, status Status, cost float64, left ...Departure) Record {
		next++
		r := request(int(next))
		r.ID, r.StartedAt, r.Provider = next, at, provider
		finish(&r)
		r.Status, r.Left = status, left
		if cost > 0 {
			r.CostUSD = ptr(cost)
		}
		return r
	}
	to := func(provider string, status, out, in int64) Departure { return Departure{provider, status, out, in} }
	late := epoch.Add(quarterHour)
	put(t, db,
		record(epoch, "llamacpp", Success, 0),
		record(epoch, "llamacpp", Failed, 0),
		record(epoch, "openai", Success, .25, to("openai", 200, 10, 20)),
		record(epoch, "openai", Success, .5, to("openai", 200, 10, 20)),
		record(epoch, "openai", Success, 0, to("openai", 200, 10, 20)), // no price
		record(epoch, "openai", Failed, 0, to("openai", 429, 10, 2)),   // a refusal costs nothing
		record(epoch, "openai", Cancelled, 0, to("openai", 0, 10, 0)),  // may have
		record(epoch, "gone", Failed, 0),                               // could not be reached: nothing left
		record(late, "llamacpp", Success, 0, to("openai", 500, 10, 2)), // taken by a cloud, answered here
		record(late, "claude", Success, 1, to("openai", 0, 10, 2), to("claude", 200, 11, 30)),
	)
	want := []Tally{
		{Quarter: epoch, Provider: "gone", Requests: 1, Failed: 1, PromptTokens: 11, CompletionTokens: 22},
		{Quarter: epoch, Provider: "llamacpp", Requests: 2, Failed: 1, PromptTokens: 22, CompletionTokens: 44},
		{Quarter: epoch, Provider: "openai", Away: true, Requests: 5, Failed: 2, PromptTokens: 55, CompletionTokens: 110,
			BytesOut: 50, BytesIn: 62, CostNanos: 750_000_000, Unpriced: 2},
		{Quarter: late, Provider: "claude", Away: true, Requests: 1, PromptTokens: 11, CompletionTokens: 22, BytesOut: 11, BytesIn: 30, CostNanos: 1_000_000_000, Repeated: 1},
		{Quarter: late, Provider: "llamacpp", Requests: 1, PromptTokens: 11, CompletionTokens: 22},
		{Quarter: late, Provider: "openai", Away: true, Requests: 2, Failed: 2, BytesOut: 20, BytesIn: 4, Unpriced: 1},
	}
	s := NewStore(db)
	if diff := gocmp.Diff(want, tallied(t, s)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	list, err := s.Tallies(t.Context(), late, late.Add(quarterHour))
	if err != nil || len(list) != 3 {
		t.Errorf("of the second quarter of an hour: %+v, %v", list, err)
	}
	if st, err := s.Stats(t.Context(), Filter{}); err != nil || st.Total != 10 || st.Local != 3 {
		t.Errorf("stats %+v, %v: 7 of 10 left", st, err)
	}
}

// Nothing is worse than one that left and of which nobody tells.
func TestARequestThatACrashCutShortMayHaveLeft(t *testing.T) {
	db := openDB(t)
	r := request(1)
	r.ID, r.StartedAt, r.Status, r.Provider, r.Left = 1, epoch, Running, "openai", []Departure{{Provider: "openai"}}
	put(t, db, r)
	s := NewStore(db)
	if _, err := s.MarkInterrupted(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []Tally{{Quarter: epoch, Provider: "openai", Away: true, Requests: 1, Failed: 1, Unpriced: 1}}
	if diff := gocmp.Diff(want, tallied(t, s)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
