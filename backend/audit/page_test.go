package audit

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseView(t *testing.T) {
	newest := View{Sort: ByStart, Limit: DefaultLimit}
	for _, c := range []struct {
		in     map[string]string
		want   View
		faults []string
	}{
		{nil, newest, nil},
		{map[string]string{"cursor": formatCursor(7), "limit": "1000", "until": "9"}, View{Sort: ByStart, Cursor: formatCursor(7), Limit: 1000, Until: ptr[int64](9)}, nil},
		{map[string]string{"sort": "duration_ms", "order": "asc", "offset": "500000"}, View{Sort: ByDuration, Ascending: true, Offset: 500000, Limit: DefaultLimit}, nil},
		{map[string]string{"sort": "model", "order": "desc", "until": "0"}, View{Sort: ByModel, Until: ptr[int64](0), Limit: DefaultLimit}, nil},
		{map[string]string{"cursor": "x", "limit": "0"}, View{}, []string{"limit", "cursor"}},
		{map[string]string{"limit": "1001"}, View{}, []string{"limit"}},
		{map[string]string{"limit": "ten"}, View{}, []string{"limit"}},
		{map[string]string{"sort": "client", "order": "up", "offset": "-1", "until": "9007199254740992"}, View{}, []string{"sort", "order", "offset", "until"}},
		{map[string]string{"cursor": formatCursor(7), "offset": "1"}, View{}, []string{"cursor"}},
		{map[string]string{"cursor": formatCursor(7), "sort": "model"}, View{}, []string{"cursor"}},
		{map[string]string{"cursor": formatCursor(7), "order": "asc"}, View{}, []string{"cursor"}},
	} {
		v, faults := ParseView(get(c.in))
		var got []string
		for _, f := range faults {
			got = append(got, f.Location)
			if f.Detail == "" || f.Value != c.in[f.Location] {
				t.Errorf("%+v", f)
			}
		}
		if diff := cmp.Diff(c.faults, got); diff != "" {
			t.Errorf("%v:\n%s", c.in, diff)
		}
		if diff := cmp.Diff(c.want, v); c.faults == nil && diff != "" {
			t.Errorf("%v:\n%s", c.in, diff)
		}
	}
}

func TestARecordIsFoundByItsRequestsID(t *testing.T) {
	db := openDB(t)
	s := NewStore(db)
	find := func(requestID string, want int64) {
		t.Helper()
		r, err := s.Find(t.Context(), requestID)
		if want == 0 {
			if !errors.Is(err, ErrNotFound) {
				t.Errorf("%q: record %d, %v", requestID, r.ID, err)
			}
		} else if err != nil || r.ID != want || r.RequestID != requestID {
			t.Errorf("%q: record %d of %q, want %d, %v", requestID, r.ID, r.RequestID, want, err)
		}
	}
	find("req_1", 0) // nothing is there yet
	ids := map[int64]string{
		900: "req_2", 901: "x", 1023: "one of its own that is long", 1024: "another of its own that is long",
		// Far apart, as ids are after years of retention.
		40_000: "twice", 41_000: "twice", 41_001: "twice", 5_000_000: "req_3", 5_000_001: "it's 100 % \"odd\"",
	}
	for id, requestID := range ids {
		r := request(int(id))
		r.ID, r.StartedAt, r.Status, r.RequestID = id, epoch, Success, requestID
		put(t, db, r)
	}
	for id, requestID := range ids {
		if requestID != "twice" {
			find(requestID, id)
		}
	}
	find("twice", 41_001) // the newest
	find("is long", 0)    // the end of others
	find("REQ_2", 0)
	find("", 0)

	if _, err := s.DeleteAll(t.Context(), epoch); err != nil {
		t.Fatal(err)
	}
	find("req_3", 0)
	if _, err := s.Undelete(t.Context(), epoch); err != nil {
		t.Fatal(err)
	}
	find("req_3", 5_000_000)
}

// SQLite may use half of an index and read each run of records instead of looking them up.
func TestARequestsIDIsLookedUp(t *testing.T) {
	db := openDB(t)
	for name, h := range map[string]hidden{"": {}, "after a deletion": {upto: 7}, "with requests that ran": {upto: 7, spared: []int64{3}}} {
		w := ofRequest("req_1", h)
		rows, err := db.Readers.QueryContext(t.Context(), "EXPLAIN QUERY PLAN SELECT id FROM "+w.from()+w.sql(), w.values()...)
		if err != nil {
			t.Fatal(err)
		}
		var plan string
		for rows.Next() {
			var id, parent, unused int
			var step string
			if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
				t.Fatal(err)
			}
			plan += step + "\n"
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(plan, "requests_request_id (<expr>=? AND <expr>=?") || !strings.Contains(plan, "INTEGER PRIMARY KEY (rowid=?)") {
			t.Errorf("%s:\n%s", name, plan)
		}
	}
}
