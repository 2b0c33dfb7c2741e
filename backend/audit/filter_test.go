package audit

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func get(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func TestParseFilter(t *testing.T) {
	f, faults := ParseFilter(get(map[string]string{
		"model": "gpt-5", "backend": "OPENAI", "status": "error", "endpoint": "/v1/embeddings",
		"from": "2026-01-01T01:00:00+01:00", "to": "2026-01-02T00:00:00.5Z",
	}))
	want := Filter{
		Model: "gpt-5", Backend: OpenAI, Status: "error", Endpoint: "/v1/embeddings",
		From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 1, 2, 0, 0, 0, 5e8, time.UTC),
	}
	if diff := cmp.Diff(want, f); diff != "" || faults != nil {
		t.Error(diff, faults)
	}
	if f, faults := ParseFilter(get(nil)); f != (Filter{}) || faults != nil {
		t.Error(f, faults)
	}
}

func TestParseFilterTellsEveryFault(t *testing.T) {
	for _, c := range []struct {
		in   map[string]string
		want []string
	}{
		{map[string]string{"backend": "openai"}, []string{"backend"}},
		{map[string]string{"status": "ok"}, []string{"status"}},
		{map[string]string{"endpoint": "chat"}, []string{"endpoint"}},
		{map[string]string{"from": "2026-01-01"}, []string{"from"}},
		{map[string]string{"to": "0001-01-01T00:00:00Z"}, []string{"to"}},
		{map[string]string{"from": "2026-01-02T00:00:00Z", "to": "2026-01-02T00:00:00Z"}, []string{"to"}},
		{map[string]string{"backend": "x", "status": "x", "endpoint": "x", "from": "x", "to": "x"}, []string{"backend", "status", "endpoint", "from", "to"}},
	} {
		_, faults := ParseFilter(get(c.in))
		var got []string
		for _, f := range faults {
			got = append(got, f.Location)
			if f.Detail == "" || f.Value != c.in[f.Location] {
				t.Errorf("%+v", f)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%v:\n%s", c.in, diff)
		}
	}
}

// FuzzParseFilter: what is accepted is a filter that the store can use.
func FuzzParseFilter(f *testing.F) {
	f.Add("gpt-5", "LOCAL", "error", "/v1/chat/completions", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00.123+02:00")
	f.Add("", "local", "done", "v1", "9999-12-31T23:59:60Z", "-1")
	store := NewStore(openDB(f))
	f.Fuzz(func(t *testing.T, model, backend, status, endpoint, from, to string) {
		filter, faults := ParseFilter(get(map[string]string{
			"model": model, "backend": backend, "status": status, "endpoint": endpoint, "from": from, "to": to,
		}))
		if len(faults) > 0 {
			return
		}
		if _, err := store.Query(t.Context(), filter, View{Limit: 1}); err != nil {
			t.Errorf("%+v: %v", filter, err)
		}
		if !filter.From.IsZero() && !filter.To.IsZero() && !filter.From.Before(filter.To) {
			t.Errorf("from %v is not before to %v", filter.From, filter.To)
		}
	})
}

// FuzzParseCursor: a cursor is refused or has one form.
func FuzzParseCursor(f *testing.F) {
	f.Add("")
	f.Add(formatCursor(1))
	f.Add(formatCursor(1 << 62))
	f.Add("AAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := parseCursor(s)
		if err != nil {
			if !errors.Is(err, ErrCursor) {
				t.Error(err)
			}
			return
		}
		if id < 1 || s != "" && formatCursor(id) != s {
			t.Errorf("%q is %d is %q", s, id, formatCursor(id))
		}
	})
}
