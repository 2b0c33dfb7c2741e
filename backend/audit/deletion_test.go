package audit

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"mlxbar/backend/storage"
)

// several puts ended records and one that runs, whose id is the last.
func several(t *testing.T, db *storage.DB, n int) []Record {
	t.Helper()
	var records []Record
	for i := range n + 1 {
		r := request(i)
		r.ID, r.StartedAt, r.Status, r.Model = int64(i+1), epoch, Success, "canary-model"
		if i < n {
			finish(&r)
		} else {
			r.Status = Running
		}
		records = append(records, r)
	}
	put(t, db, records...)
	return records
}

func TestADeletionIsObeyedByEveryReaderAtOnce(t *testing.T) {
	db := openDB(t)
	s := NewStore(db)
	records := several(t, db, 10)
	if _, err := s.DeleteAll(t.Context(), epoch); err != nil {
		t.Fatal(err)
	}
	ro, err := storage.OpenReadOnly(t.Context(), db.Path()) // as the command line does
	if err != nil {
		t.Fatal(err)
	}
	defer ro.Close()
	for name, s := range map[string]*Store{"the server": s, "another process": NewStore(ro)} {
		var got []Record
		if err := s.Each(t.Context(), Filter{}, func(r Record) error { got = append(got, r); return nil }); err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(records[10:], got); diff != "" {
			t.Errorf("%s exports (-want +got)\n%s", name, diff)
		}
		if _, err := s.Find(t.Context(), records[3].RequestID); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s finds a deleted record: %v", name, err)
		}
		for _, sort := range sorts {
			page, err := s.Query(t.Context(), Filter{Model: "canary-model"}, View{Limit: 5, Sort: sort})
			if err != nil || len(page.Records) != 1 {
				t.Errorf("%s sees %d records by %s: %v", name, len(page.Records), sort, err)
			}
		}
	}
	if _, err := s.Undelete(t.Context(), epoch.Add(UndoTime-time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(records, all(t, db)); diff != "" {
		t.Error(diff)
	}
}

func TestADeletionCannotBeTakenBackWhenItsTimeIsOver(t *testing.T) {
	db := openDB(t)
	s := NewStore(db)
	if _, err := s.Undelete(t.Context(), epoch); !errors.Is(err, ErrNothingToRestore) {
		t.Errorf("nothing was deleted: %v", err)
	}
	several(t, db, 10)
	d, err := s.DeleteAll(t.Context(), epoch)
	if err != nil || d.Deleted != 10 || !d.UndoUntil.Equal(epoch.Add(UndoTime)) {
		t.Fatal(d, err)
	}
	if _, err := s.Undelete(t.Context(), d.UndoUntil); !errors.Is(err, ErrNothingToRestore) {
		t.Errorf("at the end of its time: %v", err)
	}
	for _, x := range []struct {
		now  time.Time
		due  time.Time
		left int
	}{
		{d.UndoUntil.Add(-time.Millisecond), d.UndoUntil, 11},
		{d.UndoUntil, time.Time{}, 1},
		{d.UndoUntil, time.Time{}, 1},
	} {
		due, err := s.FinishDeletion(t.Context(), x.now)
		var n int
		if err := db.Readers.QueryRow("SELECT count(*) FROM requests").Scan(&n); err != nil {
			t.Fatal(err)
		}
		if err != nil || !due.Equal(x.due) || n != x.left {
			t.Errorf("at %v: due %v, %d records left: %v", x.now, due, n, err)
		}
	}
}

// A clock that is set back by years must not keep records for years.
func TestADeletionIsFinishedThoughTheClockWasSetBack(t *testing.T) {
	db := openDB(t)
	s := NewStore(db)
	several(t, db, 3)
	if _, err := s.DeleteAll(t.Context(), epoch.AddDate(5, 0, 0)); err != nil {
		t.Fatal(err)
	}
	if due, err := s.FinishDeletion(t.Context(), epoch); err != nil || !due.IsZero() {
		t.Error(due, err)
	}
}

func TestDeletedContentLeavesTheFile(t *testing.T) {
	db := openDB(t)
	s := NewStore(db)
	several(t, db, 20_000)
	r := startRecorder(t, db, Options{})
	live := request(77_777)
	live.Model = "kept-model"
	if err := r.Begin(t.Context(), &live); err != nil {
		t.Fatal(err)
	}
	finish(&live)
	flush(t, r)
	if _, err := s.DeleteAll(t.Context(), epoch); err != nil {
		t.Fatal(err)
	}
	if err := r.End(&live); err != nil { // ran when the others were deleted
		t.Fatal(err)
	}
	flush(t, r)
	if !strings.Contains(content(t, db), "canary") {
		t.Fatal("the test cannot tell")
	}
	if _, err := s.FinishDeletion(t.Context(), epoch.Add(UndoTime)); err != nil {
		t.Fatal(err)
	}
	raw := content(t, db)
	if n := strings.Count(raw, "canary-model"); n > 3 { // model and served model of the one that still runs, and its index
		t.Errorf("the file still names a deleted model %d times", n)
	}
	if n := strings.Count(raw, "req_0000000000000000000000000000000"); n > 2 {
		t.Errorf("the file still names %d deleted requests", n)
	}
	if len(raw) > 1<<20 {
		t.Errorf("the file still has %d bytes", len(raw))
	}
	got := all(t, db)
	if len(got) != 2 || got[1].Model != "kept-model" || got[1].Status != Success {
		t.Errorf("kept are %+v", got)
	}
}

// content is all of the database that is on the disk.
func content(t *testing.T, db *storage.DB) string {
	t.Helper()
	var all bytes.Buffer
	for _, suffix := range []string{"", "-wal"} {
		raw, err := os.ReadFile(db.Path() + suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		all.Write(raw)
	}
	return all.String()
}

func TestNoIDIsGivenTwice(t *testing.T) {
	db := openDB(t)
	s := NewStore(db)
	records := several(t, db, 10)
	finish(&records[10])
	w := &writer{db: db.Writer}
	err := w.write([]event{{rowOf(&records[10]), end}}, false)
	w.close()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.DeleteAll(t.Context(), epoch); err != nil {
		t.Fatal(err)
	}
	if _, err := s.FinishDeletion(t.Context(), epoch.Add(UndoTime)); err != nil {
		t.Fatal(err)
	}
	r := startRecorder(t, db, Options{})
	next := request(1)
	if err := r.Begin(t.Context(), &next); err != nil || next.ID != 12 {
		t.Errorf("the next id is %d: %v", next.ID, err)
	}
}

func TestASecondDeletionTakesTheFirstAlong(t *testing.T) {
	db := openDB(t)
	s := NewStore(db)
	records := several(t, db, 10)
	if _, err := s.DeleteAll(t.Context(), epoch); err != nil {
		t.Fatal(err)
	}
	another := request(50)
	another.ID, another.StartedAt = 50, epoch
	finish(&another)
	put(t, db, another)
	again := epoch.Add(UndoTime / 2)
	if d, err := s.DeleteAll(t.Context(), again); err != nil || d.Deleted != 1 {
		t.Errorf("%+v %v", d, err)
	}
	if n, err := s.Undelete(t.Context(), again.Add(UndoTime-time.Millisecond)); err != nil || n != 11 {
		t.Errorf("%d came back: %v", n, err)
	}
	if diff := gocmp.Diff(append(records, another), all(t, db)); diff != "" {
		t.Error(diff)
	}
}

// The first deletion's time comes just when somebody deletes again.
func TestADeletionThatIsFinishedLeavesANewerOneAlone(t *testing.T) {
	db := openDB(t)
	s := NewStore(db)
	records := several(t, db, 10)
	first, err := s.DeleteAll(t.Context(), epoch)
	if err != nil {
		t.Fatal(err)
	}
	another := request(50)
	another.ID, another.StartedAt = 50, epoch
	finish(&another)
	put(t, db, another)
	if _, err := s.DeleteAll(t.Context(), first.UndoUntil.Add(-time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if err := s.write(t.Context(), func(tx *sql.Tx) error { return purge(t.Context(), tx, millis(first.UndoUntil)) }); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Undelete(t.Context(), first.UndoUntil); err != nil || n != 11 {
		t.Errorf("%d came back: %v", n, err)
	}
	if diff := gocmp.Diff(append(records, another), all(t, db)); diff != "" {
		t.Error(diff)
	}
}

// As a server does that starts after one that ended within the ten seconds.
func TestADeletionOfAnEarlierRunIsFinished(t *testing.T) {
	db := openDB(t)
	several(t, db, 10)
	if _, err := NewStore(db).DeleteAll(t.Context(), time.Now().Add(-2*UndoTime)); err != nil {
		t.Fatal(err)
	}
	s := NewStore(db) // of the next run
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.RunDeletions(ctx, slog.New(slog.DiscardHandler))
	}()
	defer func() { cancel(); <-ended }()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		var n, upto int
		if err := db.Readers.QueryRow("SELECT (SELECT count(*) FROM requests), deleted_upto FROM audit_state").Scan(&n, &upto); err != nil {
			t.Fatal(err)
		}
		if n == 1 && upto == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d records are left", n)
		}
	}
}
