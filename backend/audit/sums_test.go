package audit

import (
	"cmp"
	"context"
	"database/sql"
	"math"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mlxbar/backend/storage"
)

// ledger is an audit and, in Go, what should be in it.
type ledger struct {
	t       *rapid.T
	db      *storage.DB
	store   *Store
	writer  *writer
	now     time.Time
	next    int64
	records map[int64]Record
	deleted map[int64]Record // out of sight
	until   time.Time        // they can be had back
}

func (l *ledger) write(kind kind, records ...Record) {
	events := make([]event, len(records))
	for i := range records {
		events[i] = event{rowOf(&records[i]), kind}
	}
	if err := l.writer.write(events, false); err != nil {
		l.t.Fatal(err)
	}
}

func (l *ledger) begin() {
	l.next += rapid.Int64Range(1, blockSize*2/3).Draw(l.t, "step") // several blocks, though few records
	r := anyRecord(l.t, l.next)
	r.DurationMS, r.TotalTokens, r.PromptTokens, r.CostUSD, r.Status = nil, nil, nil, nil, Running
	l.write(start, r)
	l.records[r.ID] = r
}

// late puts a record with an id below the newest, as two requests do that begin at once.
func (l *ledger) late() {
	id := l.next - 1
	if _, taken := l.records[id]; taken || id < 1 || l.deleted[id].ID != 0 {
		return
	}
	r := anyRecord(l.t, id)
	l.write(start, r)
	l.records[id] = r
}

func (l *ledger) end() {
	for _, id := range sortedIDs(l.records) {
		if r := l.records[id]; r.Status == Running && rapid.Bool().Draw(l.t, "ends") {
			e := anyRecord(l.t, id)
			e.StartedAt, e.RequestID = r.StartedAt, r.RequestID
			if e.Status == Running {
				e.Status = Cancelled
			}
			l.write(end, e)
			l.write(end, e) // as when only the answer was lost
			l.records[id] = e
		}
	}
}

func (l *ledger) interrupt() {
	want := int64(0)
	for id, r := range l.records {
		if r.Status == Running {
			r.Status = Interrupted
			l.records[id] = r
			want++
		}
	}
	if n, err := l.store.MarkInterrupted(context.Background()); err != nil || n != want {
		l.t.Fatalf("%d were interrupted, want %d: %v", n, want, err)
	}
}

// retain clears away what is old. What is out of sight goes with it.
func (l *ledger) retain() {
	if _, err := l.store.Retain(context.Background(), 1, 0, l.now.AddDate(0, 0, 1)); err != nil {
		l.t.Fatal(err)
	}
	for _, m := range []map[int64]Record{l.records, l.deleted} {
		for id, r := range m {
			if r.Status != Running && r.StartedAt.Before(l.now) {
				delete(m, id)
			}
		}
	}
}

func (l *ledger) deleteAll() {
	gone := 0
	for id, r := range l.records {
		if r.Status != Running {
			l.deleted[id] = r
			delete(l.records, id)
			gone++
		}
	}
	d, err := l.store.DeleteAll(context.Background(), l.now)
	if err != nil || d.Deleted != int64(gone) {
		l.t.Fatalf("%+v, want %d: %v", d, gone, err)
	}
	l.until = d.UndoUntil
}

func (l *ledger) undelete() {
	_, err := l.store.Undelete(context.Background(), l.now)
	if err != nil && len(l.deleted) > 0 {
		l.t.Fatalf("%d were out of sight: %v", len(l.deleted), err)
	}
	for id, r := range l.deleted {
		l.records[id] = r
	}
	clear(l.deleted)
}

func (l *ledger) finish() {
	due, err := l.store.FinishDeletion(context.Background(), l.now.Add(UndoTime))
	if err != nil || !due.IsZero() {
		l.t.Fatal(due, err)
	}
	clear(l.deleted)
	var n int
	if err := l.db.Readers.QueryRow("SELECT count(*) FROM requests").Scan(&n); err != nil || n != len(l.records) {
		l.t.Fatalf("%d records are left in the file, want %d: %v", n, len(l.records), err)
	}
}

// older makes it a database of a time before there were sums, in part.
func (l *ledger) older() {
	block := blockOf(l.next) + 1
	if rapid.Bool().Draw(l.t, "partly") {
		block--
	}
	for _, s := range []string{"DELETE FROM audit_sums WHERE block < ?", "DELETE FROM audit_tallies WHERE block < ?", "UPDATE audit_state SET summed_from = max(summed_from, ?)"} {
		if _, err := l.db.Writer.Exec(s, block); err != nil {
			l.t.Fatal(err)
		}
	}
	if rapid.Bool().Draw(l.t, "summed") {
		if err := l.store.Sum(context.Background()); err != nil {
			l.t.Fatal(err)
		}
	}
}

func sortedIDs(records map[int64]Record) []int64 {
	ids := make([]int64, 0, len(records))
	for id := range records {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// check holds sums, stats, models and pages to what should be there.
func (l *ledger) check() {
	var inSight []Record
	for _, id := range sortedIDs(l.records) {
		inSight = append(inSight, l.records[id])
	}
	checkSums(l.t, l.db)
	f := anyFilter(l.t)
	want := expected(f, inSight)
	st, err := l.store.Stats(context.Background(), f)
	if err != nil {
		l.t.Fatal(err)
	}
	if diff := gocmp.Diff(tally(want), st, withinOnePerCent); diff != "" {
		l.t.Fatalf("Stats, filter %+v (-want +got)\n%s", f, diff)
	}
	page, err := l.store.Query(context.Background(), f, View{Limit: MaxLimit})
	if diff := gocmp.Diff(want, page.Records); err != nil || diff != "" {
		l.t.Fatalf("filter %+v: %v (-want +got)\n%s", f, err, diff)
	}
	l.checkView(f, want)
	checkTallies(l.t, l.store, inSight)
	names := map[string]bool{}
	for _, r := range inSight {
		names[r.Model] = r.Model != ""
	}
	models, err := l.store.Models(context.Background())
	for _, m := range models {
		if !names[m] {
			l.t.Fatalf("the models are %q", models)
		}
		delete(names, m)
	}
	delete(names, "")
	if err != nil || len(names) > 0 {
		l.t.Fatalf("the models lack %v: %v", names, err)
	}
}

// checkView holds a part of the matching records, in any order, to want, which has them
// newest first.
func (l *ledger) checkView(f Filter, want []Record) {
	v := View{
		Sort: rapid.SampledFrom(sorts).Draw(l.t, "v.sort"), Ascending: rapid.Bool().Draw(l.t, "v.ascending"),
		Offset: rapid.Int64Range(0, int64(len(want)+1)).Draw(l.t, "v.offset"), Limit: rapid.IntRange(1, 7).Draw(l.t, "v.limit"),
	}
	all := slices.Clone(want)
	if rapid.Bool().Draw(l.t, "v.hasUntil") {
		until := rapid.OneOf(rapid.Int64Range(0, l.next), rapid.Just[int64](1<<53-1)).Draw(l.t, "v.until")
		v.Until = &until
		all = slices.DeleteFunc(all, func(r Record) bool { return r.ID > until })
	}
	slices.SortFunc(all, func(a, b Record) int {
		n := cmp.Or(inColumn(v.Sort, a, b), cmp.Compare(a.ID, b.ID))
		if !v.Ascending {
			n = -n
		}
		return n
	})
	all = all[min(int(v.Offset), len(all)):]
	page, err := l.store.Query(context.Background(), f, v)
	if diff := gocmp.Diff(append([]Record{}, all[:min(v.Limit, len(all))]...), page.Records); err != nil || diff != "" {
		l.t.Fatalf("filter %+v, view %+v: %v (-want +got)\n%s", f, v, err, diff)
	}
	if v.Until != nil && page.Until != *v.Until {
		l.t.Fatalf("until is %d, asked for was %d", page.Until, *v.Until)
	}
}

// inColumn compares as SQLite sorts: what is not known comes before all else.
func inColumn(by Sort, a, b Record) int {
	known := func(p *float64) float64 {
		if p == nil {
			return -1
		}
		return *p
	}
	tokens := func(p *int64) int64 {
		if p == nil {
			return -1
		}
		return *p
	}
	switch by {
	case ByModel:
		return cmp.Compare(a.Model, b.Model)
	case ByBackend:
		return cmp.Compare(a.Backend, b.Backend)
	case ByEndpoint:
		return cmp.Compare(a.Endpoint, b.Endpoint)
	case ByDuration:
		return cmp.Compare(known(a.DurationMS), known(b.DurationMS))
	case ByTokens:
		return cmp.Compare(tokens(a.TotalTokens), tokens(b.TotalTokens))
	}
	return 0
}

var withinOnePerCent = gocmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 0.01*math.Max(a, b) })

// checkSums holds the sums to the records.
func checkSums(t interface{ Fatalf(string, ...any) }, db *storage.DB) {
	ctx := context.Background()
	tx, err := db.Readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer tx.Rollback()
	var from int64
	if err := tx.QueryRow("SELECT summed_from FROM audit_state").Scan(&from); err != nil {
		t.Fatalf("%v", err)
	}
	all := newSums()
	want := all.rows
	if _, err := gather(ctx, tx, all, 1, "SELECT "+endedColumns+" FROM requests WHERE status <> 'running' AND id >= ?", from*blockSize); err != nil {
		t.Fatalf("%v", err)
	}
	rows, err := tx.Query("SELECT block, model, backend, endpoint, status FROM audit_sums ORDER BY block, model")
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer rows.Close()
	var keys []sumKey
	for rows.Next() {
		var k sumKey
		if err := rows.Scan(&k.block, &k.model, &k.backend, &k.endpoint, &k.status); err != nil {
			t.Fatalf("%v", err)
		}
		keys = append(keys, k)
	}
	for _, k := range keys {
		got, _, err := (txSums{ctx, tx}).load(k)
		if err != nil || want[k] == nil {
			t.Fatalf("%+v is summed and has no record (%v)", k, err)
		}
		w := want[k].plus(sum{firstAt: want[k].firstAt, lastAt: want[k].lastAt})
		if got.firstAt > w.firstAt || got.lastAt < w.lastAt {
			t.Fatalf("%+v spans %d to %d, which does not enclose %d to %d", k, got.firstAt, got.lastAt, w.firstAt, w.lastAt)
		}
		got.firstAt, got.lastAt = w.firstAt, w.lastAt
		if diff := gocmp.Diff(w, got, gocmp.AllowUnexported(sum{}, histogram{}, bucketCount{})); diff != "" {
			t.Fatalf("%+v (-records +sums)\n%s", k, diff)
		}
		delete(want, k)
	}
	if len(want) > 0 {
		t.Fatalf("the sums lack %v", want)
	}
}

func TestSumsKeepInStepWhateverHappens(t *testing.T) {
	db := openDB(t)
	rapid.Check(t, func(t *rapid.T) {
		for _, s := range []string{
			"DELETE FROM requests", "DELETE FROM audit_sums", "DELETE FROM audit_tallies", "DELETE FROM deletion_spared",
			"UPDATE audit_state SET deleted_upto = 0, deleted_until = 0, last_id = 0, summed_from = 0",
		} {
			if _, err := db.Writer.Exec(s); err != nil {
				t.Fatal(err)
			}
		}
		l := &ledger{
			t: t, db: db, store: NewStore(db), writer: &writer{db: db.Writer}, now: epoch.Add(10 * time.Millisecond),
			records: map[int64]Record{}, deleted: map[int64]Record{},
		}
		defer l.writer.close()
		if rapid.Bool().Draw(t, "limits") { // every way of finding a page
			l.store.limits = limits{parts: rapid.IntRange(0, 5).Draw(t, "parts"), rowsPerBlock: rapid.Int64Range(0, 2).Draw(t, "rows")}
		}
		do := func(f func()) func(*rapid.T) { return func(*rapid.T) { f() } }
		t.Repeat(map[string]func(*rapid.T){
			"begin": do(l.begin), "begin2": do(l.begin), "late": do(l.late), "end": do(l.end), "end2": do(l.end), "interrupt": do(l.interrupt), "retain": do(l.retain),
			"delete": do(l.deleteAll), "undelete": do(l.undelete), "finish": do(l.finish), "older": do(l.older),
			"": do(l.check),
		})
	})
}

// Requests with nothing in a column of names are first there, and a part of them lies behind the first block.
func TestRequestsWithoutANameAreFoundInAnyBlock(t *testing.T) {
	for _, c := range []struct {
		by     Sort
		filter Filter
		blank  func(*Record)
	}{
		{ByModel, Filter{Backend: Local}, func(r *Record) { r.Model = "" }},
		{ByBackend, Filter{Model: "named"}, func(r *Record) { r.Backend = "" }},
		{ByEndpoint, Filter{Model: "named"}, func(r *Record) { r.Endpoint = "" }},
	} {
		t.Run(string(c.by), func(t *testing.T) {
			db := openDB(t)
			var records, unnamed []Record
			for i := range 3 * blockSize {
				r := request(i)
				r.ID, r.Status, r.StartedAt, r.Backend, r.Model = int64(i+1), Success, epoch, Local, "named"
				if i%500 == 0 {
					c.blank(&r)
					unnamed = append(unnamed, r)
				}
				records = append(records, r)
			}
			put(t, db, records...)
			for offset := 0; offset < len(unnamed); offset += 5 {
				page, err := NewStore(db).Query(t.Context(), c.filter, View{Sort: c.by, Ascending: true, Offset: int64(offset), Limit: 5})
				if err != nil {
					t.Fatal(err)
				}
				want := unnamed[offset:min(offset+5, len(unnamed))]
				if diff := gocmp.Diff(want, page.Records[:min(len(want), len(page.Records))]); diff != "" {
					t.Errorf("from %d on (-want +got)\n%s", offset, diff)
				}
			}
		})
	}
}

func TestPercentilesOfManyAreWithinOnePerCent(t *testing.T) {
	for name, ms := range map[string]func(i int) float64{
		"spread":      func(i int) float64 { return math.Pow(1.0001, float64(i*7919%50_000)) },
		"all alike":   func(int) float64 { return 12.5 },
		"two heaps":   func(i int) float64 { return []float64{3, 90_000}[i%2] },
		"very short":  func(i int) float64 { return 0.0005 * float64(i%3) },
		"without end": func(int) float64 { return 1e8 },
	} {
		t.Run(name, func(t *testing.T) {
			db := openDB(t)
			var records []Record
			for i := range 5 * blockSize {
				r := request(i)
				r.ID, r.Status, r.StartedAt, r.DurationMS = int64(i+1), Success, epoch, ptr(ms(i))
				records = append(records, r)
			}
			put(t, db, records...)
			st, err := NewStore(db).Stats(t.Context(), Filter{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(tally(records), st, gocmp.Comparer(func(a, b float64) bool {
				return math.Abs(a-b) <= 0.01*math.Max(a, b) || math.Max(a, b) <= least
			})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestADamagedHistogramStopsNobody(t *testing.T) {
	for _, damaged := range []string{"\xff", "\x01", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\x05\x01\xfe\xff\x03\x01"} {
		h := histogram{encoded: []byte(damaged)}.plus(histogram{changes: []bucketCount{{7, 2}, {7, 1}, {9, -4}}})
		found := int64(0)
		eachBucket(h.encoded, func(c bucketCount) {
			if c.bucket == 7 {
				found = c.n
			}
		})
		if found != 3 {
			t.Errorf("%q: bucket 7 has %d", damaged, found)
		}
	}
}
