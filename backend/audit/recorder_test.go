package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mlxbar/backend/storage"
)

// all reads every record, oldest first.
func all(t testing.TB, db *storage.DB) []Record {
	t.Helper()
	var records []Record
	err := NewStore(db).Each(context.Background(), Filter{}, func(r Record) error {
		records = append(records, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func flush(t testing.TB, r *Recorder) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := r.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestARecordSurvivesWhole(t *testing.T) {
	for _, strict := range []bool{false, true} {
		for _, apart := range []bool{false, true} {
			t.Run(fmt.Sprintf("strict=%t apart=%t", strict, apart), func(t *testing.T) {
				db := openDB(t)
				r := startRecorder(t, db, Options{Strict: strict})
				rec := request(7)
				rec.StartedAt = time.Date(2026, 3, 1, 12, 0, 0, 123_456_789, time.FixedZone("", 3600))
				if err := r.Begin(t.Context(), &rec); err != nil {
					t.Fatal(err)
				}
				if want := time.Date(2026, 3, 1, 11, 0, 0, 123_000_000, time.UTC); !rec.StartedAt.Equal(want) || rec.Status != Running || rec.ID != 1 {
					t.Errorf("begun as %+v", rec)
				}
				if apart {
					flush(t, r)
					if got := all(t, db); len(got) != 1 || got[0].Status != Running {
						t.Errorf("after its start: %+v", got)
					}
				}
				finish(&rec)
				rec.Stream, rec.CostUSD, rec.KeyID, rec.Backend, rec.ServedModel = true, ptr(0.001), "key", OpenAI, "other"
				want := rec
				if err := r.End(&rec); err != nil {
					t.Fatal(err)
				}
				*rec.DurationMS, rec.Model = 99, "reused" // the caller's again
				want.DurationMS = ptr(12.5)
				flush(t, r)
				if diff := cmp.Diff([]Record{want}, all(t, db)); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			})
		}
	}
}

func TestStrictIsOnDiskWhenItReturns(t *testing.T) {
	db := openDB(t)
	r := startRecorder(t, db, Options{})
	r.SetStrict(true)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			rec := request(i)
			if err := r.Begin(t.Context(), &rec); err != nil {
				t.Error(err)
				return
			}
			status := func() (s Status) {
				if err := db.Readers.QueryRow("SELECT status FROM requests WHERE id = ?", rec.ID).Scan(&s); err != nil {
					t.Error(err)
				}
				return s
			}
			if got := status(); got != Running {
				t.Errorf("after Begin: %q", got)
			}
			finish(&rec)
			if err := r.End(&rec); err != nil {
				t.Error(err)
			}
			if got := status(); got != Success {
				t.Errorf("after End: %q", got)
			}
		})
	}
	wg.Wait()
	var level int
	if err := db.Writer.QueryRow("PRAGMA synchronous").Scan(&level); err != nil || level != 2 {
		t.Errorf("synchronous = %d (%v), want FULL", level, err)
	}
}

func TestNothingIsLostUnderLoad(t *testing.T) {
	db := openDB(t)
	r := startRecorder(t, db, Options{Queue: 64, Batch: 16}) // so that requests meet a full queue
	const workers, each = 16, 200
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				rec := request(w*each + i)
				if err := r.Begin(t.Context(), &rec); err != nil {
					t.Error(err)
					return
				}
				finish(&rec)
				if err := r.End(&rec); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	flush(t, r)
	st, err := NewStore(db).Stats(t.Context(), Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if st.Total != workers*each || st.Successful != workers*each {
		t.Errorf("%+v, want %d successful", st, workers*each)
	}
}

func TestBeginEndsWithItsContext(t *testing.T) {
	db := openDB(t)
	hold, err := db.Writer.Conn(t.Context()) // the writer is busy elsewhere
	if err != nil {
		t.Fatal(err)
	}
	r := startRecorder(t, db, Options{Queue: 1})
	first := request(1)
	if err := r.Begin(t.Context(), &first); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	left := errors.New("the client left")
	done := make(chan error)
	go func() {
		rec := request(2)
		done <- r.Begin(ctx, &rec)
	}()
	cancel(left)
	if err := <-done; !errors.Is(err, left) {
		t.Errorf("Begin = %v", err)
	}
	r.SetStrict(true)
	ctx, cancelPlain := context.WithCancel(t.Context())
	go func() {
		rec := request(3)
		done <- r.Begin(ctx, &rec)
	}()
	cancelPlain()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("strict Begin = %v", err)
	}
	hold.Close()
	flush(t, r)
	if got := all(t, db); len(got) != 1 || got[0].ID != first.ID {
		t.Errorf("%+v, want the first alone", got)
	}
}

func TestTheLostStartIsWrittenWithItsEnd(t *testing.T) {
	db := openDB(t)
	r := startRecorder(t, db, Options{})
	rec := request(1)
	if err := r.Begin(t.Context(), &rec); err != nil {
		t.Fatal(err)
	}
	flush(t, r)
	if _, err := db.Writer.Exec("DELETE FROM requests"); err != nil {
		t.Fatal(err)
	}
	finish(&rec)
	if err := r.End(&rec); err != nil {
		t.Fatal(err)
	}
	flush(t, r)
	if diff := cmp.Diff([]Record{rec}, all(t, db)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestABatchCanBeWrittenTwice(t *testing.T) {
	// A commit may reach the disk and still report an error.
	db := openDB(t)
	w := &writer{db: db.Writer}
	defer w.close()
	batch := func() []event {
		a, b, c := request(1), request(2), request(3)
		a.ID, b.ID, c.ID = 1, 2, 3
		a.Status, b.Status, c.Status = Running, Running, Running
		done := a
		finish(&done)
		return []event{{rowOf(&a), start}, {rowOf(&b), start}, {rowOf(&c), start}, {rowOf(&done), end}, {rowOf(&c), withdrawal}}
	}
	events := batch()
	for range 2 {
		if err := w.write(events, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.write(batch(), false); err != nil {
		t.Fatal(err)
	}
	got := all(t, db)
	if len(got) != 2 || got[0].Status != Success || got[1].Status != Running {
		t.Errorf("%+v", got)
	}
}

func TestCloseWritesWhatIsQueued(t *testing.T) {
	db := openDB(t)
	r := startRecorder(t, db, Options{Delay: time.Hour})
	for i := range 100 {
		rec := request(i)
		if err := r.Begin(t.Context(), &rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := len(all(t, db)); got != 100 {
		t.Errorf("%d records, want 100", got)
	}
	rec := request(1)
	if err := r.Begin(t.Context(), &rec); !errors.Is(err, ErrClosed) {
		t.Errorf("Begin after Close = %v", err)
	}
	finish(&rec)
	if err := r.End(&rec); !errors.Is(err, ErrClosed) {
		t.Errorf("End after Close = %v", err)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Errorf("second Close = %v", err)
	}
}

func TestCloseSaysWhatIsLost(t *testing.T) {
	db := openDB(t)
	r, err := NewRecorder(t.Context(), db, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	fail(t, db)
	rec := request(1)
	if err := r.Begin(t.Context(), &rec); err != nil {
		t.Fatal(err)
	}
	eventually(t, "told of the failure", func() bool { return r.Err() != nil })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err = r.Close(ctx)
	if err == nil || !strings.Contains(err.Error(), "1 events were not written") || !strings.Contains(err.Error(), "disk is broken") {
		t.Errorf("Close = %v", err)
	}
}

func TestEndRefusesDefects(t *testing.T) {
	r := startRecorder(t, openDB(t), Options{})
	if err := r.End(&Record{Status: Success}); err == nil {
		t.Error("a record that was not begun has ended")
	}
	rec := request(1)
	if err := r.Begin(t.Context(), &rec); err != nil {
		t.Fatal(err)
	}
	for _, s := range []Status{Running, "", "done"} {
		rec.Status = s
		if err := r.End(&rec); err == nil {
			t.Errorf("ended with %q", s)
		}
	}
}

func TestHooksSeeWhatIsQueued(t *testing.T) {
	var seen []string
	note := func(what string) func(Record) {
		return func(r Record) { seen = append(seen, fmt.Sprintf("%s %d %s", what, r.ID, r.Status)) }
	}
	r := startRecorder(t, openDB(t), Options{OnBegin: note("begin"), OnEnd: note("end")})
	rec := request(1)
	if err := r.Begin(t.Context(), &rec); err != nil {
		t.Fatal(err)
	}
	finish(&rec)
	if err := r.End(&rec); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"begin 1 running", "end 1 success"}, seen); diff != "" {
		t.Error(diff)
	}
}

func TestIDsGoOnAfterARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mlxbar.db")
	for want := int64(1); want <= 3; want++ {
		db, err := storage.Open(t.Context(), path, storage.Options{})
		if err != nil {
			t.Fatal(err)
		}
		n, err := NewStore(db).MarkInterrupted(t.Context())
		if err != nil || n != min(want-1, 1) {
			t.Errorf("%d marked interrupted (%v)", n, err)
		}
		r, err := NewRecorder(t.Context(), db, Options{})
		if err != nil {
			t.Fatal(err)
		}
		rec := request(1)
		if err := r.Begin(t.Context(), &rec); err != nil || rec.ID != want {
			t.Errorf("id %d (%v), want %d", rec.ID, err, want)
		}
		if err := errors.Join(r.Close(t.Context()), db.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTextIsBounded(t *testing.T) {
	db := openDB(t)
	r := startRecorder(t, db, Options{})
	rec := request(1)
	rec.Model = strings.Repeat("ü", maxText)
	rec.Client = "bad \xff byte"
	if err := r.Begin(t.Context(), &rec); err != nil {
		t.Fatal(err)
	}
	flush(t, r)
	got := all(t, db)[0]
	if got.Model != strings.Repeat("ü", maxText/2) || got.Client != "bad  byte" {
		t.Errorf("kept %d bytes of model and client %q", len(got.Model), got.Client)
	}
}
