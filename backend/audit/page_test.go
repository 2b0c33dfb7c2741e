package audit

import (
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
