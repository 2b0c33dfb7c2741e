package audit

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"mlxbar/backend/storage"
)

func TestRetainByAge(t *testing.T) {
	db := openDB(t)
	now := epoch.AddDate(0, 0, 10)
	var records []Record
	for day := range 10 {
		for i := range retainChunk / 2 {
			r := request(i)
			r.ID, r.StartedAt, r.Status = int64(len(records)+1), epoch.AddDate(0, 0, day), Success
			if day == 0 && i == 0 {
				r.Status = Running
			}
			records = append(records, r)
		}
	}
	put(t, db, records...)
	deleted, err := NewStore(db).Retain(t.Context(), 7, 0, now)
	if err != nil {
		t.Fatal(err)
	}
	want := []Record{records[0]} // still running
	for _, r := range records {
		if !r.StartedAt.Before(now.AddDate(0, 0, -7)) {
			want = append(want, r)
		}
	}
	if diff := gocmp.Diff(want, all(t, db)); diff != "" || deleted != int64(len(records)-len(want)) {
		t.Errorf("deleted %d (-want +got)\n%s", deleted, diff)
	}
}

// Whoever follows the audit by its ids must not see an old one again.
func TestIDsGoOnAfterAllRecordsGrewTooOld(t *testing.T) {
	db := openDB(t)
	const n = 2*retainChunk + 7
	var records []Record
	for i := range n {
		r := request(i)
		r.ID, r.StartedAt, r.Status = int64(i+1), epoch, Success
		records = append(records, r)
	}
	put(t, db, records...)
	if deleted, err := NewStore(db).Retain(t.Context(), 7, 0, epoch.AddDate(0, 0, 8)); err != nil || deleted != n {
		t.Fatalf("%d are deleted, %v", deleted, err)
	}
	next := request(0)
	if err := startRecorder(t, db, Options{}).Begin(t.Context(), &next); err != nil { // as the next start of the server does
		t.Fatal(err)
	}
	if next.ID != n+1 {
		t.Errorf("the next record's id is %d, want %d", next.ID, n+1)
	}
}

func TestRetainBySizeShrinksTheFile(t *testing.T) {
	db := openDB(t)
	s := NewStore(db)
	const n = 30_000
	var records []Record
	for i := range n {
		r := request(i)
		r.ID, r.StartedAt, r.Status, r.KeyID = int64(i+1), epoch, Success, strings.Repeat("k", 100)
		records = append(records, r)
	}
	put(t, db, records...)
	r := startRecorder(t, db, Options{}) // at work meanwhile
	if _, err := s.Retain(t.Context(), 0, 0, epoch); err != nil {
		t.Fatal(err)
	}
	before := fileSize(t, db)
	stop, stopped := make(chan struct{}), make(chan int)
	go func() {
		live := 0
		for ; ; live++ {
			select {
			case <-stop:
				stopped <- live
				return
			default:
			}
			rec := request(live)
			if err := r.Begin(context.Background(), &rec); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Millisecond)
		}
	}()
	deleted, err := s.Retain(t.Context(), 0, 2, epoch)
	close(stop)
	live := <-stopped
	if err != nil {
		t.Fatal(err)
	}
	flush(t, r)
	if _, err := s.Retain(t.Context(), 0, 2, epoch); err != nil { // folds what came meanwhile
		t.Fatal(err)
	}
	after := fileSize(t, db)
	if before < 4<<20 || after > 2<<20+512<<10 {
		t.Errorf("the file went from %d to %d bytes; the limit is 2 MiB", before, after)
	}
	got := all(t, db)
	if len(got) == 0 || got[len(got)-1].ID != int64(n+live) {
		t.Errorf("the newest record is gone; %d are left", len(got))
	}
	if deleted == 0 || int64(len(got)) > n+int64(live)-deleted {
		t.Errorf("%d deleted, %d left", deleted, len(got))
	}
}

// Benchmarks lie in the same file, and are deleted by people only.
func TestNoRecordGoesForABenchmark(t *testing.T) {
	db := openDB(t)
	var records []Record
	for i := range 100 {
		r := request(i)
		r.ID, r.StartedAt, r.Status = int64(i+1), epoch, Success
		records = append(records, r)
	}
	put(t, db, records...)
	for _, size := range []int{1 << 20, 3 << 20} {
		if _, err := db.Writer.Exec("INSERT INTO benchmarks (started_at, command, label, summary, file, hash) VALUES (0, 'run', '', '{}', randomblob(?1), randomblob(32))", size); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := NewStore(db).Retain(t.Context(), 0, 1, epoch); n != 0 || err != nil {
		t.Errorf("%d records went: %v", n, err)
	}
	if _, err := db.Writer.Exec("INSERT INTO benchmarks (started_at, command, label, summary, file, hash) VALUES (0, 'run', ?1, '{}', x'00', x'00')", strings.Repeat("x", 2<<20)); err != nil {
		t.Fatal(err)
	}
	if n, err := NewStore(db).Retain(t.Context(), 0, 1, epoch); n == 0 || err != nil {
		t.Errorf("with what is no benchmark's the limit is passed, and %d records went: %v", n, err)
	}
}

func fileSize(t *testing.T, db *storage.DB) int64 {
	t.Helper()
	info, err := os.Stat(db.Path())
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
