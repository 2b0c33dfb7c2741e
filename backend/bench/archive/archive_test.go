package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"mlxbar/backend/bench"
	"mlxbar/backend/bench/machine"
	"mlxbar/backend/bench/results"
	"mlxbar/backend/storage"
	"mlxbar/backend/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func open(t *testing.T) *Archive {
	t.Helper()
	db, err := storage.Open(t.Context(), filepath.Join(t.TempDir(), "mlxbar.db"), storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return New(db)
}

// file is a run of the minute, in which two requests were answered.
func file(minute int) *results.File {
	c := results.Case{CaseSummary: results.CaseSummary{Route: "local-llamacpp", Model: "m", Prompt: results.Prompt{Name: "short", Characters: 45},
		Concurrency: 1, Status: results.Measured, Errors: []results.Error{}, Seconds: 1}}
	for i := range 2 {
		c.Samples = append(c.Samples, results.Sample{AtMS: float64(i), TotalMS: 100, FirstMS: 20, LastMS: 90, GapsMS: []float64{30, 40}, Counted: true, PromptTokens: 9, Tokens: 3, Events: 3})
	}
	c.Sum(1)
	return &results.File{Format: results.Format, Version: results.Version, Tool: "1.2.3", Command: "run", StartedAt: epoch.Add(time.Duration(minute) * time.Minute),
		EndedAt: epoch.Add(time.Duration(minute)*time.Minute + time.Second), Complete: true, Machine: machine.Machine{OS: "debian", CPU: "Made-up", CPUs: 2, Memory: 1 << 30, Go: "go1.26"},
		Server:   results.Server{URL: "http://127.0.0.1:1", Version: "0.1.0", Engines: json.RawMessage(`{"llamacpp":{}}`)},
		Settings: results.Settings{Runs: 2, MaxTokens: 3, Stream: true, TimeoutS: 900}, Warnings: []string{"the machine is busy"}, Cases: []results.Case{c}}
}

func raw(t *testing.T, f *results.File) []byte {
	t.Helper()
	raw, err := f.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func add(t *testing.T, a *Archive, raw []byte, label string) int64 {
	t.Helper()
	id, added, err := a.Add(t.Context(), raw, label)
	if err != nil || !added {
		t.Fatalf("added: %v, %v", added, err)
	}
	return id
}

func ids(t *testing.T, a *Archive) (ids []int64) {
	t.Helper()
	runs, err := a.List(t.Context(), MaxRuns, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range runs {
		ids = append(ids, r.ID)
	}
	return ids
}

func TestAFileComesBackAsItWas(t *testing.T) {
	a := open(t)
	want := raw(t, file(0))
	id := add(t, a, want, "before the change")
	got, err := a.Get(t.Context(), id)
	if err != nil || string(got) != string(want) {
		t.Errorf("%v: %s", err, cmp.Diff(string(want), string(got)))
	}
	runs, err := a.List(t.Context(), 1, 0)
	if err != nil || len(runs) != 1 {
		t.Fatalf("%+v, %v", runs, err)
	}
	f := file(0)
	wantRun := Run{ID: id, Label: "before the change", Summary: Summary{Command: "run", StartedAt: f.StartedAt, EndedAt: f.EndedAt, Complete: true, Tool: "1.2.3",
		Server: Server{"http://127.0.0.1:1", "0.1.0"}, Machine: f.Machine, Settings: f.Settings, Warnings: f.Warnings, Cases: []results.CaseSummary{f.Cases[0].CaseSummary}}}
	if diff := cmp.Diff(wantRun, runs[0]); diff != "" {
		t.Error(diff)
	}
	listed, err := json.Marshal(runs[0])
	if err != nil || strings.Contains(string(listed), "samples") || strings.Contains(string(listed), "gaps_ms") {
		t.Errorf("the list has samples: %s", listed)
	}
}

func TestTheSameFileIsKeptOnce(t *testing.T) {
	a := open(t)
	first := raw(t, file(0))
	id := add(t, a, first, "first")
	var compact strings.Builder
	enc := json.NewEncoder(&compact)
	if err := enc.Encode(file(0)); err != nil {
		t.Fatal(err)
	}
	for what, again := range map[string][]byte{"the same": first, "laid out in another way": []byte(compact.String())} {
		if got, added, err := a.Add(t.Context(), again, "second"); got != id || added || err != nil {
			t.Errorf("%s: %d, added %v, %v", what, got, added, err)
		}
	}
	other := file(0)
	other.Cases[0].Samples[0].TotalMS = 101
	if got := add(t, a, raw(t, other), ""); got == id {
		t.Error("another file was taken for the same")
	}
	if err := a.Delete(t.Context(), id, time.Now()); err != nil {
		t.Fatal(err)
	}
	if got, added, err := a.Add(t.Context(), first, ""); got != id || added || err != nil || !slices.Contains(ids(t, a), id) {
		t.Errorf("a deleted one was not had back: %d, added %v, %v", got, added, err)
	}
}

func TestALabelIsGivenToAFileThatIsKeptWithoutOne(t *testing.T) {
	a := open(t)
	same := raw(t, file(0))
	id := add(t, a, same, "")
	for _, c := range []struct{ given, want string }{{"", ""}, {"before the change", "before the change"}, {"another", "before the change"}, {"", "before the change"}} {
		if got, added, err := a.Add(t.Context(), same, c.given); got != id || added || err != nil {
			t.Fatalf("%d, added %v, %v", got, added, err)
		}
		if runs, err := a.List(t.Context(), 1, 0); err != nil || len(runs) != 1 || runs[0].Label != c.want {
			t.Errorf("given %q: %+v, %v", c.given, runs, err)
		}
	}
}

func TestWhatIsNoResultsFileIsRefusedWithItsPlace(t *testing.T) {
	a := open(t)
	good := string(raw(t, file(0)))
	for name, c := range map[string]struct{ raw, location, says string }{
		"text":            {"hello", "", "no JSON"},
		"cut off":         {good[:len(good)/2], "", "cut off"},
		"something else":  {`{"a": 1}`, "/format", "no results file"},
		"a later version": {strings.Replace(good, `"version": 1`, `"version": 2`, 1), "/version", "version 2"},
		"a wrong type":    {strings.Replace(good, `"runs": 2`, `"runs": "2"`, 1), "/settings/runs", "want integer"},
		"a wrong sample":  {strings.Replace(good, `"total_ms": 100`, `"total_ms": -1`, 1), "/cases/0/samples/0/total_ms", "minimum"},
	} {
		_, _, err := a.Add(t.Context(), []byte(c.raw), "")
		var fault *results.Fault
		if !errors.As(err, &fault) || fault.Location != c.location || !strings.Contains(fault.Detail, c.says) {
			t.Errorf("%s: %v, %+v", name, err, fault)
		}
	}
	if got := ids(t, a); len(got) != 0 {
		t.Errorf("kept are %v", got)
	}
}

// The order is that of the measurements, not of their coming; no page leaves one out or has one twice.
func TestPagesGoFromTheNewestToTheOldest(t *testing.T) {
	a := open(t)
	var want []int64
	for _, minute := range []int{5, 1, 9, 3, 3, 7} {
		f := file(minute)
		f.Cases[0].Reason = fmt.Sprint("number ", len(want)) // two of a minute are two
		want = append(want, add(t, a, raw(t, f), ""))
	}
	want = []int64{want[2], want[5], want[0], want[4], want[3], want[1]}
	for limit := 1; limit <= 6; limit++ {
		var got []int64
		for before := int64(0); ; before = got[len(got)-1] {
			runs, err := a.List(t.Context(), limit, before)
			if err != nil {
				t.Fatal(err)
			}
			if len(runs) == 0 {
				break
			}
			for _, r := range runs {
				got = append(got, r.ID)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("by pages of %d: %v, want %v", limit, got, want)
		}
	}
	if _, err := a.List(t.Context(), 1, 99); !errors.Is(err, ErrLostPlace) {
		t.Errorf("from a run that is not there: %v", err)
	}
}

func TestADeletionCanBeTakenBackForAWhile(t *testing.T) {
	a := open(t)
	id, now := add(t, a, raw(t, file(0)), "x"), epoch
	expect := func(what string, got, want error) {
		t.Helper()
		if !errors.Is(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	get := func() error { _, err := a.Get(t.Context(), id); return err }
	expect("undeleting what was not deleted", a.Undelete(t.Context(), id, now), ErrNothingToRestore)
	expect("deleting", a.Delete(t.Context(), id, now), nil)
	expect("deleting again", a.Delete(t.Context(), id, now), ErrNotFound)
	expect("reading", get(), ErrNotFound)
	expect("renaming", a.Rename(t.Context(), id, "y"), ErrNotFound)
	if due, err := a.Purge(t.Context(), now.Add(UndoTime-time.Millisecond)); err != nil || !due.Equal(now.Add(UndoTime)) || len(ids(t, a)) != 0 {
		t.Errorf("due %v, %v, in sight %v", due, err, ids(t, a))
	}
	expect("undeleting in time", a.Undelete(t.Context(), id, now.Add(UndoTime-time.Millisecond)), nil)
	expect("reading", get(), nil)
	expect("renaming", a.Rename(t.Context(), id, "y"), nil)
	expect("deleting", a.Delete(t.Context(), id, now), nil)
	expect("undeleting too late", a.Undelete(t.Context(), id, now.Add(UndoTime)), ErrNothingToRestore)
	if due, err := a.Purge(t.Context(), now.Add(UndoTime)); err != nil || !due.IsZero() {
		t.Errorf("due %v, %v", due, err)
	}
	expect("undeleting what is gone", a.Undelete(t.Context(), id, now), ErrNothingToRestore)
	if again := add(t, a, raw(t, file(0)), ""); again == id {
		t.Error("an id was given twice")
	}
	expect("renaming nothing", a.Rename(t.Context(), 99, ""), ErrNotFound)
	// A clock that was set back by a day.
	expect("deleting", a.Delete(t.Context(), ids(t, a)[0], now.AddDate(0, 0, 1)), nil)
	if due, err := a.Purge(t.Context(), now); err != nil || !due.IsZero() {
		t.Errorf("with a clock that was set back: due %v, %v", due, err)
	}
}

func TestWhatAnEarlierRunDeletedIsClearedAway(t *testing.T) {
	a := open(t)
	old, fresh := add(t, a, raw(t, file(0)), ""), add(t, a, raw(t, file(1)), "")
	if err := a.Delete(t.Context(), old, time.Now().Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() { a.RunDeletions(ctx, slog.New(slog.DiscardHandler)) })
	defer func() { cancel(); work.Wait() }()
	rows := func() (n int) {
		if err := a.db.Readers.QueryRow("SELECT count(*) FROM benchmarks").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	wait := func(n int) {
		t.Helper()
		for deadline := time.Now().Add(testkit.Patience); rows() != n; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d rows, want %d", rows(), n)
			}
		}
	}
	wait(1)
	if err := a.Delete(t.Context(), fresh, time.Now().Add(50*time.Millisecond-UndoTime)); err != nil { // it hears of this one
		t.Fatal(err)
	}
	wait(0)
}

// A large file is small in the database, and its list entry does not grow with its samples.
func TestSamplesAreCompressed(t *testing.T) {
	a := open(t)
	f := file(0)
	gaps := make([]float64, 128)
	for i := range gaps {
		gaps[i] = 9.5 + float64(i%7)/1000
	}
	f.Cases[0].Samples = nil
	for i := range 500 {
		f.Cases[0].Samples = append(f.Cases[0].Samples, results.Sample{AtMS: float64(i), TotalMS: 1300, FirstMS: 20, LastMS: 1290, GapsMS: gaps, Tokens: 129, Events: 129,
			Engine: &bench.EngineTimes{PromptN: 9, PromptMS: 12, PredictedN: 129, PredictedMS: 1270}})
	}
	whole := raw(t, f)
	id := add(t, a, whole, "")
	var packed, summary int
	if err := a.db.Readers.QueryRow("SELECT length(file), length(summary) FROM benchmarks WHERE id = ?", id).Scan(&packed, &summary); err != nil {
		t.Fatal(err)
	}
	if packed > len(whole)/5 || summary > 4<<10 {
		t.Errorf("%d bytes of %d, and %d for the list", packed, len(whole), summary)
	}
}
