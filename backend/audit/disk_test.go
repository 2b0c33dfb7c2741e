package audit

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"mlxbar/backend/storage"
)

// fail makes the disk refuse every row, as SQLite reports it, until mended.
func fail(t *testing.T, db *storage.DB) (mend func()) {
	t.Helper()
	exec := func(q string) {
		if _, err := db.Writer.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	exec(`CREATE TRIGGER broken BEFORE INSERT ON requests BEGIN SELECT RAISE(ABORT, 'disk is broken'); END`)
	return func() { exec(`DROP TRIGGER broken`) }
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never " + what)
		}
	}
}

func TestAFailingDiskLosesNothing(t *testing.T) {
	db := openDB(t)
	r := startRecorder(t, db, Options{Queue: 10})
	mend := fail(t, db)

	running := make([]Record, 10)
	for i := range running {
		running[i] = request(i)
		if err := r.Begin(t.Context(), &running[i]); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "told of the failure", func() bool { return r.Err() != nil })
	if !strings.Contains(r.Err().Error(), "disk is broken") {
		t.Errorf("Err() = %v", r.Err())
	}
	// The queue is full: a new request is refused, the end of an old one waits.
	rec := request(99)
	if err := r.Begin(t.Context(), &rec); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Begin = %v, want ErrUnavailable", err)
	}
	ended := make(chan error)
	go func() {
		finish(&running[0])
		ended <- r.End(&running[0])
	}()
	select {
	case err := <-ended:
		t.Fatalf("End returned %v with the queue full and the disk broken", err)
	case <-time.After(50 * time.Millisecond):
	}
	mend()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	flush(t, r)
	if err := r.Err(); err != nil {
		t.Errorf("after the repair: %v", err)
	}
	got := all(t, db)
	if len(got) != 10 || got[0].Status != Success || got[9].Status != Running {
		t.Errorf("%d records: %+v", len(got), got)
	}
}

func TestAFullDiskRecovers(t *testing.T) {
	db := openDB(t)
	r := startRecorder(t, db, Options{})
	var pages int
	if err := db.Writer.QueryRow("PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	setMax := func(n int) {
		rows, err := db.Writer.Query(fmt.Sprintf("PRAGMA max_page_count = %d", n))
		if err != nil {
			t.Fatal(err)
		}
		rows.Close()
	}
	setMax(pages)
	const n = 500
	for i := range n {
		rec := request(i)
		if err := r.Begin(t.Context(), &rec); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "full", func() bool { return r.Err() != nil })
	if !strings.Contains(r.Err().Error(), "full") {
		t.Errorf("Err() = %v", r.Err())
	}
	setMax(1 << 30)
	flush(t, r)
	if got := len(all(t, db)); got != n || r.Err() != nil {
		t.Errorf("%d records (%v), want %d", got, r.Err(), n)
	}
}

func TestStrictRefusesWhileTheDiskFails(t *testing.T) {
	db := openDB(t)
	r := startRecorder(t, db, Options{Strict: true})
	kept := request(1)
	if err := r.Begin(t.Context(), &kept); err != nil {
		t.Fatal(err)
	}
	mend := fail(t, db)
	for i := range 3 { // the first finds the failure, the others know of it
		rec := request(2 + i)
		if err := r.Begin(t.Context(), &rec); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Begin = %v, want ErrUnavailable", err)
		}
	}
	finish(&kept)
	if err := r.End(&kept); !errors.Is(err, ErrUnavailable) {
		t.Errorf("End = %v, want ErrUnavailable", err)
	}
	mend()
	flush(t, r)
	// The refused requests have left nothing, the ended one is complete.
	if got := all(t, db); len(got) != 1 || got[0].RequestID != kept.RequestID || got[0].Status != Success {
		t.Errorf("%+v", got)
	}
}
