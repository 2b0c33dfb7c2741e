package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mlxbar/backend/storage"
)

// epoch is the start of the generated times, which are few so that they meet
// the bounds of generated filters.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func anyTime(t *rapid.T, label string) time.Time {
	return epoch.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, label)) * time.Millisecond)
}

var (
	someModels    = []string{"", "a", "b", "gpt-5", "Ä%_'\"--"}
	someEndpoints = []string{"/v1/chat/completions", "/v1/embeddings"}
)

func anyRecord(t *rapid.T, id int64) Record {
	r := request(int(id))
	r.ID, r.StartedAt = id, anyTime(t, "started")
	r.Model = rapid.SampledFrom(someModels).Draw(t, "model")
	r.Backend = rapid.SampledFrom(backends).Draw(t, "backend")
	r.Status = rapid.SampledFrom(statuses).Draw(t, "status")
	r.Endpoint = rapid.SampledFrom(someEndpoints).Draw(t, "endpoint")
	if r.Status != Running && rapid.Bool().Draw(t, "timed") {
		r.DurationMS = ptr(float64(rapid.IntRange(0, 50).Draw(t, "duration")) / 4)
		r.TotalTokens = ptr(rapid.Int64Range(0, 100).Draw(t, "tokens"))
		r.PromptTokens, r.CostUSD = r.TotalTokens, ptr(float64(rapid.IntRange(0, 9).Draw(t, "cost"))*0.000_123_456)
	}
	r.Provider = rapid.SampledFrom([]string{"", "llamacpp", "far", "near"}).Draw(t, "provider")
	for _, p := range []string{"far", "near"} {
		if rapid.Bool().Draw(t, "left") {
			r.Left = append(r.Left, Departure{Provider: p, HTTPStatus: rapid.SampledFrom([]int64{0, 200, 500}).Draw(t, "answer"), BytesOut: 100, BytesIn: id})
		}
	}
	return r
}

func anyFilter(t *rapid.T) Filter {
	f := Filter{
		Model:    rapid.SampledFrom(append(someModels, "none")).Draw(t, "f.model"),
		Backend:  rapid.SampledFrom(append([]Backend{"", ""}, backends...)).Draw(t, "f.backend"),
		Endpoint: rapid.SampledFrom(append([]string{"", ""}, someEndpoints...)).Draw(t, "f.endpoint"),
		Status:   string(rapid.SampledFrom(append([]Status{"", ""}, statuses...)).Draw(t, "f.status")),
	}
	sub := time.Duration(rapid.IntRange(0, 1).Draw(t, "f.sub")) * 300 * time.Microsecond
	if rapid.Bool().Draw(t, "f.hasFrom") {
		f.From = anyTime(t, "f.from").Add(sub)
	}
	if rapid.Bool().Draw(t, "f.hasTo") {
		f.To = anyTime(t, "f.to").Add(sub)
	}
	return f
}

// matches is the meaning of a filter, in Go.
func matches(f Filter, r Record) bool {
	status := f.Status == "" || f.Status == string(r.Status)
	if f.Status == string(Failed) {
		status = r.Status != Success && r.Status != Running
	}
	return status && (f.Model == "" || f.Model == r.Model) && (f.Backend == "" || f.Backend == r.Backend) &&
		(f.Endpoint == "" || f.Endpoint == r.Endpoint) &&
		(f.From.IsZero() || !r.StartedAt.Before(f.From)) && (f.To.IsZero() || r.StartedAt.Before(f.To))
}

// expected are the matching records, newest first.
func expected(f Filter, records []Record) []Record {
	want := []Record{}
	for _, r := range records {
		if matches(f, r) {
			want = append(want, r)
		}
	}
	slices.SortFunc(want, func(a, b Record) int { return cmp.Compare(b.ID, a.ID) })
	return want
}

// put writes records as they are, past the recorder.
func put(t interface{ Fatal(...any) }, db *storage.DB, records ...Record) {
	w := &writer{db: db.Writer}
	defer w.close()
	events := make([]event, len(records))
	for i := range records {
		events[i] = event{rowOf(&records[i]), start}
	}
	if err := w.write(events, false); err != nil {
		t.Fatal(err)
	}
}

func TestPagingSeesEachRecordOnce(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		db, done := scratch(t, dir)
		defer done()
		s := NewStore(db)
		var records []Record
		for id := range int64(rapid.IntRange(0, 30).Draw(t, "count")) {
			records = append(records, anyRecord(t, id+1))
		}
		put(t, db, records...)
		f := anyFilter(t)
		want := expected(f, records)
		var got []Record
		next := int64(len(records))
		for cursor := ""; ; {
			page, err := s.Query(context.Background(), f, View{Cursor: cursor, Limit: rapid.IntRange(1, 7).Draw(t, "limit")})
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, page.Records...)
			if page.Next == "" {
				break
			}
			cursor = page.Next
			for range rapid.IntRange(0, 3).Draw(t, "meanwhile") {
				next++
				put(t, db, anyRecord(t, next))
			}
		}
		if diff := gocmp.Diff(want, append([]Record{}, got...)); diff != "" {
			t.Fatalf("filter %+v (-want +got)\n%s", f, diff)
		}
	})
}

// scratch is a database for one run of a property.
func scratch(t *rapid.T, dir string) (*storage.DB, func()) {
	path := filepath.Join(dir, "mlxbar.db")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.RemoveAll(path + suffix); err != nil {
			t.Fatal(err)
		}
	}
	db, err := storage.Open(context.Background(), path, storage.Options{Readers: 1})
	if err != nil {
		t.Fatal(err)
	}
	return db, func() { db.Close() }
}

func TestEachAndStatsMeanWhatTheFilterMeans(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		db, done := scratch(t, dir)
		defer done()
		s := NewStore(db)
		var records []Record
		for id := range int64(rapid.IntRange(0, 40).Draw(t, "count")) {
			records = append(records, anyRecord(t, id+1))
		}
		put(t, db, records...)
		f := anyFilter(t)
		want := expected(f, records)

		got := []Record{}
		if err := s.Each(context.Background(), f, func(r Record) error { got = append(got, r); return nil }); err != nil {
			t.Fatal(err)
		}
		slices.Reverse(got)
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("Each, filter %+v (-want +got)\n%s", f, diff)
		}
		st, err := s.Stats(context.Background(), f)
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(tally(want), st); diff != "" {
			t.Fatalf("Stats, filter %+v (-want +got)\n%s", f, diff)
		}
	})
}

// tally is Stats in Go.
func tally(records []Record) Stats {
	var st Stats
	models := map[string]bool{}
	var durations []float64
	for _, r := range records {
		st.Total++
		switch r.Status {
		case Success:
			st.Successful++
		case Running:
			st.Running++
		default:
			st.Errors++
		}
		if r.Model != "" {
			models[r.Model] = true
		}
		if len(r.Left) == 0 {
			st.Local++
		}
		if r.TotalTokens != nil {
			st.TotalTokens += *r.TotalTokens
		}
		if r.DurationMS != nil {
			durations = append(durations, *r.DurationMS)
		}
	}
	st.UniqueModels = int64(len(models))
	if n := len(durations); n > 0 {
		slices.Sort(durations)
		st.P50MS = &durations[int(math.Ceil(float64(n)*0.50))-1]
		st.P95MS = &durations[int(math.Ceil(float64(n)*0.95))-1]
	}
	return st
}

func TestQueryFindsOldSpansAmongMany(t *testing.T) {
	db := openDB(t)
	var records []Record
	for i := range 3 * blockSize {
		r := request(i)
		r.ID, r.Status, r.StartedAt = int64(i+1), Success, epoch.Add(time.Duration(i)*time.Second)
		records = append(records, r)
	}
	put(t, db, records...)
	s := NewStore(db)
	for name, f := range map[string]Filter{
		"short": {From: epoch.Add(10 * time.Second), To: epoch.Add(20 * time.Second)},
		"long":  {From: epoch.Add(10 * time.Second), To: epoch.Add(2 * blockSize * time.Second)},
	} {
		page, err := s.Query(t.Context(), f, View{Limit: 3})
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(expected(f, records)[:3], page.Records); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

// plan is how SQLite goes about a query.
func plan(t *testing.T, db *storage.DB, query string, args ...any) string {
	t.Helper()
	rows, err := db.Readers.Query("EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, detail)
	}
	return strings.Join(steps, "; ")
}

func TestFiltersUseTheirIndex(t *testing.T) {
	db := openDB(t)
	for _, c := range []struct {
		f    Filter
		want string
	}{
		{Filter{}, "INTEGER PRIMARY KEY (rowid<?)"},
		{Filter{Model: "a"}, "requests_model (model=? AND rowid<?)"},
		{Filter{Backend: OpenAI}, "requests_backend (backend=? AND rowid<?)"},
		{Filter{Endpoint: "/v1/embeddings"}, "requests_endpoint (endpoint=? AND rowid<?)"},
		{Filter{Status: "error"}, "requests_errors"},
		{Filter{Status: "timeout"}, "requests_errors"},
		{Filter{Status: "running"}, "requests_running"},
		{Filter{Status: "success"}, "INTEGER PRIMARY KEY (rowid<?)"},
	} {
		w := where(c.f)
		w.atMost(99)
		got := plan(t, db, "SELECT * FROM "+w.from()+w.sql()+" ORDER BY id DESC LIMIT 10", w.values()...)
		if !strings.Contains(got, c.want) || strings.Contains(got, "TEMP B-TREE") {
			t.Errorf("%+v: %s; want %s, unsorted", c.f, got, c.want)
		}
	}
	old := plan(t, db, "SELECT id FROM requests WHERE started_at < ? AND status <> 'running' ORDER BY started_at LIMIT 10", 1)
	if !strings.Contains(old, "requests_started_at") || strings.Contains(old, "TEMP") {
		t.Errorf("retention: %s", old)
	}
}

func TestQueryRefuses(t *testing.T) {
	s := NewStore(openDB(t))
	for _, limit := range []int{-1, 0, MaxLimit + 1} {
		if _, err := s.Query(t.Context(), Filter{}, View{Limit: limit}); err == nil {
			t.Errorf("limit %d was taken", limit)
		}
	}
	if _, err := s.Query(t.Context(), Filter{}, View{Cursor: "nonsense", Limit: 1}); !errors.Is(err, ErrCursor) {
		t.Errorf("cursor: %v", err)
	}
	page, err := s.Query(t.Context(), Filter{}, View{Limit: 1})
	if err != nil || page.Records == nil || page.Next != "" {
		t.Errorf("empty: %+v %v", page, err)
	}
}

func TestModels(t *testing.T) {
	db := openDB(t)
	s := NewStore(db)
	if got, err := s.Models(t.Context()); err != nil || got == nil || len(got) != 0 {
		t.Errorf("empty: %v %v", got, err)
	}
	var records []Record
	for i, m := range []string{"b", "", "a", "b", "ä"} {
		r := request(i)
		r.ID, r.Model, r.Status = int64(i+1), m, Success
		records = append(records, r)
	}
	put(t, db, records...)
	got, err := s.Models(t.Context())
	if diff := gocmp.Diff([]string{"a", "b", "ä"}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestEachStopsWhenToldTo(t *testing.T) {
	db := openDB(t)
	for i := range 3 {
		r := request(i)
		r.ID, r.Status = int64(i+1), Success
		put(t, db, r)
	}
	enough, seen := errors.New("enough"), 0
	err := NewStore(db).Each(t.Context(), Filter{}, func(Record) error {
		if seen++; seen == 2 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || seen != 2 {
		t.Errorf("%v after %d", err, seen)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := NewStore(db).Each(ctx, Filter{}, func(Record) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestReadOnlyStoreDoesNotWrite(t *testing.T) {
	path := openDB(t).Path()
	db, err := storage.OpenReadOnly(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s := NewStore(db)
	_, markErr := s.MarkInterrupted(t.Context())
	_, retainErr := s.Retain(t.Context(), 1, 1, time.Now())
	_, recorderErr := NewRecorder(t.Context(), db, Options{})
	for _, err := range []error{markErr, retainErr, recorderErr} {
		if !errors.Is(err, ErrReadOnly) {
			t.Errorf("got %v", err)
		}
	}
}

func ExampleParseFilter() {
	_, faults := ParseFilter(func(name string) string {
		return map[string]string{"backend": "local", "from": "yesterday"}[name]
	})
	for _, f := range faults {
		fmt.Println(f)
	}
	// Output:
	// backend: is one of LOCAL, OPENAI, ANTHROPIC
	// from: is a time of RFC 3339 such as 2026-01-31T09:00:00Z
}
