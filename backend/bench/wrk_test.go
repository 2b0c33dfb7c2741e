package bench

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The files in testdata are wrk's own output, from wrk 4.1.0.
func TestParseWrk(t *testing.T) {
	for _, c := range []struct {
		file     string
		requests int64
		p50      float64
		err      string // of LoadResult.Err
	}{
		{"wrk-ok.txt", 18112, 337, ""},
		{"wrk-status.txt", 58584, 83, "requests failed: connect 0, read 0, write 0, status 58584, timeout 0"},
		{"wrk-read.txt", 0, 0, "requests failed: connect 0, read 21578, write 0, status 0, timeout 0"},
	} {
		t.Run(c.file, func(t *testing.T) {
			out, err := os.ReadFile(filepath.Join("testdata", c.file))
			if err != nil {
				t.Fatal(err)
			}
			r, err := ParseWrk(out)
			if err != nil {
				t.Fatal(err)
			}
			if r.Requests != c.requests || r.P50US != c.p50 {
				t.Errorf("%+v", r)
			}
			failed := ""
			if err := r.Err(); err != nil {
				failed = err.Error()
			}
			if failed != c.err {
				t.Errorf("Err() = %q, want %q", failed, c.err)
			}
		})
	}
}

func TestParseWrkRefuses(t *testing.T) {
	refused, err := os.ReadFile("testdata/wrk-refused.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{"", string(refused), resultMark + "{", resultMark + `{"requests":1,"seconds":0}`} {
		if r, err := ParseWrk([]byte(out)); err == nil {
			t.Errorf("%q was read as %+v", out, r)
		}
	}
}

func FuzzParseWrk(f *testing.F) {
	f.Add([]byte(resultMark + `{"requests":1,"seconds":1}`))
	f.Fuzz(func(t *testing.T, out []byte) {
		if r, err := ParseWrk(out); err == nil && r.Seconds <= 0 {
			t.Errorf("%+v", r)
		}
	})
}

// fakeWrk puts a script in wrk's place.
func fakeWrk(t *testing.T, script string) *Wrk {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "wrk"), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	w, err := NewWrk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestRunTellsWrkWhatToDo(t *testing.T) {
	w := fakeWrk(t, `[ "$1 $2 $3 $8" = "-t1 -c8 -d2s http://x/v1" ] && [ "$BENCH_BODY" = '{"a":1}' ] && [ -s "$7" ] || { echo "$@" >&2; exit 1; }
echo 'mlxbar-result {"requests":10,"seconds":2}'`)
	r, err := w.Run(t.Context(), Load{URL: "http://x/v1", Body: `{"a":1}`, Connections: 8, Duration: 2 * time.Second})
	if err != nil || r.PerSecond() != 5 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestRunFails(t *testing.T) {
	w := fakeWrk(t, "echo 'unable to connect' >&2; exit 1")
	if _, err := w.Run(t.Context(), Load{}); err == nil || !strings.Contains(err.Error(), "unable to connect") {
		t.Errorf("%v", err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	w := fakeWrk(t, "exec sleep 60")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := w.Run(ctx, Load{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestNoWrk(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := NewWrk(t.TempDir()); err == nil || !strings.Contains(err.Error(), "install") {
		t.Errorf("%v", err)
	}
}
