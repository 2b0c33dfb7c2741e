package job

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mlxbar/backend/testkit"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == Run || os.Args[1] == Suite) {
		play()
	}
	goleak.VerifyTestMain(m)
}

// play is a program that is called as mlx-benchmark is; its label says what it does.
func play() {
	i := slices.IndexFunc(os.Args, func(a string) bool { return strings.HasPrefix(a, "--label=") })
	say := func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	say(`{"message": "warning: the machine is busy"}`)
	say(`{"what": "local m, short, 1 at a time", "done": 0, "total": 3}`)
	switch strings.TrimPrefix(os.Args[i], "--label=") {
	case "good":
		say(`{"what": "local m, short, 1 at a time", "done": 3, "total": 3}`)
		say(`{"saved": 7}`)
		os.Exit(0)
	case "waits":
		<-interrupted
		say(`{"saved": 8}`)
		say(`{"error": "the run was stopped; what was measured until then is kept"}`)
		os.Exit(1)
	case "deaf":
		select {}
	case "hardly there":
		signal.Reset(os.Interrupt)
		say(`{"total": 4}`)
		time.Sleep(time.Hour)
	case "crashes":
		say("panic: a secret of the inside\n\ngoroutine 1 [running]:")
		os.Exit(2)
	case "refuses":
		say(`{"error": "--model \"m\": the server has no such model"}`)
		os.Exit(2)
	case "tells":
		say(`{"error": %q}`, strings.Join(append(os.Args, os.Environ()...), " "))
		os.Exit(2)
	case "ends with stdin":
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}
}

// bench is a runner whose program is this test, and what is heard of its jobs.
type bench struct {
	*Runner
	t   *testing.T
	mu  sync.Mutex
	all []Job
	log strings.Builder
}

func newBench(t *testing.T) *bench {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t}
	b.Runner = New(Config{Program: self, DataDir: "a data folder", StopGrace: testkit.Patience, Log: slog.New(slog.NewTextHandler(&b.log, nil)), OnChange: func(j Job) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.all = append(b.all, j)
	}})
	t.Cleanup(b.Close)
	return b
}

func (b *bench) heard() []Job {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.all)
}

// start starts a job that does what the label says.
func (b *bench) start(label string) Job {
	b.t.Helper()
	j, err := b.Start(Request{Kind: Run, Model: "m", Runs: 3, MaxTokens: 5, Concurrency: []int{1, 2}, Label: label})
	if err != nil {
		b.t.Fatal(err)
	}
	return j
}

// until waits for a job that is as wanted.
func (b *bench) until(what string, is func(Job) bool) Job {
	b.t.Helper()
	for deadline := time.Now().Add(testkit.Patience); ; time.Sleep(5 * time.Millisecond) {
		j, ok := b.Current()
		if ok && is(j) {
			return j
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("waited in vain for %s: %+v", what, j)
		}
	}
}

func TestAJobIsFollowedToItsEnd(t *testing.T) {
	b := newBench(t)
	if _, ok := b.Current(); ok {
		t.Error("there is a job before the first one")
	}
	started := b.start("good")
	if started.State != Running || started.ID == "" || started.StartedAt.IsZero() || started.RunID != nil {
		t.Errorf("%+v", started)
	}
	j := b.until("its end", func(j Job) bool { return j.over() })
	if j.State != Done || j.Done != 3 || j.Total != 3 || j.RunID == nil || *j.RunID != 7 || j.Detail != "" || j.What != "local m, short, 1 at a time" || j.ID != started.ID {
		t.Errorf("%+v", j)
	}
	heard := b.heard()
	if first, last := heard[0], heard[len(heard)-1]; first.State != Running || first.Total != 0 || last.State != Done {
		t.Errorf("heard of it: %+v", heard)
	}
	if b.start("good").ID == started.ID {
		t.Error("two jobs have one id")
	}
}

func TestAStoppedJobKeepsWhatItMeasured(t *testing.T) {
	b := newBench(t)
	if _, err := b.Stop(); !errors.Is(err, ErrNone) {
		t.Errorf("stopping nothing: %v", err)
	}
	b.start("waits")
	if _, err := b.Start(Request{Kind: Run}); !errors.Is(err, ErrBusy) {
		t.Errorf("a second one: %v", err)
	}
	b.until("its beginning", func(j Job) bool { return j.Total == 3 })
	for range 2 { // stopping twice is stopping once
		if j, err := b.Stop(); err == nil && j.State != Stopping {
			t.Errorf("%+v, %v", j, err)
		}
	}
	j := b.until("its end", func(j Job) bool { return j.over() })
	if j.State != Done || *j.RunID != 8 || j.Detail != "The run was stopped; what was measured until then is kept." {
		t.Errorf("%+v", j)
	}
	if _, err := b.Stop(); !errors.Is(err, ErrNone) {
		t.Errorf("stopping it once more: %v", err)
	}
}

func TestAJobThatDoesNotStopIsKilled(t *testing.T) {
	b := newBench(t)
	b.cfg.StopGrace = 50 * time.Millisecond
	b.start("deaf")
	b.until("its beginning", func(j Job) bool { return j.Total == 3 })
	if _, err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	if j := b.until("its end", func(j Job) bool { return j.over() }); j.State != Failed || !strings.Contains(j.Detail, "did not stop in time") || j.RunID != nil {
		t.Errorf("%+v", j)
	}
}

func TestAJobThatIsStoppedAtOnce(t *testing.T) {
	b := newBench(t)
	b.start("hardly there")
	b.until("its beginning", func(j Job) bool { return j.Total == 4 })
	if _, err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	if j := b.until("its end", func(j Job) bool { return j.over() }); j.State != Failed || j.Detail != "It was stopped before anything was measured." {
		t.Errorf("%+v", j)
	}
}

func TestAFailureIsSaidInASentence(t *testing.T) {
	for label, want := range map[string]string{
		"crashes": "The program mlx-benchmark ended before its time (exit status 2); nothing of this run is kept.",
		"refuses": `--model "m": the server has no such model.`,
	} {
		b := newBench(t)
		b.start(label)
		if j := b.until("its end", func(j Job) bool { return j.over() }); j.State != Failed || j.Detail != want || j.RunID != nil {
			t.Errorf("%s: %+v", label, j)
		}
		b.Close()
		if strings.Contains(b.log.String(), "secret") {
			t.Errorf("the log has what a crash said: %s", &b.log)
		}
	}
}

func TestAKeyIsInNoArgumentAndNoEnvironment(t *testing.T) {
	t.Setenv("FAR_KEY", "sk-of-the-provider")
	t.Setenv("OTEL_SERVICE_NAME", "as the server's")
	b := newBench(t)
	b.start("tells")
	j := b.until("its end", func(j Job) bool { return j.over() })
	if strings.Contains(j.Detail, "sk-of-the-provider") || !strings.Contains(j.Detail, "as the server's") {
		t.Errorf("%s", j.Detail)
	}
	for _, want := range []string{"run --save --progress=json --until-stdin --data-dir=a data folder --label=tells --runs=3 --max-tokens=5 --warmup=0 --concurrency=1,2 --stream=false --same-prompt=false --model=m "} {
		if !strings.Contains(j.Detail, want) {
			t.Errorf("%q is not in %s", want, j.Detail)
		}
	}
}

func TestCloseEndsTheJobAndTakesNoOther(t *testing.T) {
	b := newBench(t)
	b.start("waits")
	b.until("its beginning", func(j Job) bool { return j.Total == 3 })
	b.Close()
	if j, _ := b.Current(); j.State != Done || *j.RunID != 8 {
		t.Errorf("%+v", j)
	}
	if _, err := b.Start(Request{Kind: Run}); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
	b.Close() // once more does nothing
}

// A server that crashes takes its job with it: the kernel closes the stdin of that.
func TestTheProgramHasAStdinThatEndsWithItsParent(t *testing.T) {
	b := newBench(t)
	b.start("ends with stdin")
	b.until("its beginning", func(j Job) bool { return j.Total == 3 })
	b.child.CloseStdin()
	if j := b.until("its end", func(j Job) bool { return j.over() }); !strings.Contains(j.Detail, "exit status 0") {
		t.Errorf("%+v", j)
	}
	if err := syscall.Kill(b.child.PID(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("it is still there: %v", err)
	}
}

func TestAMissingProgramIsNamed(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{filepath.Join(dir, "none"), dir, text} {
		r := New(Config{Program: program, OnChange: func(Job) { t.Error("a job") }, Log: slog.New(slog.DiscardHandler)})
		var missing *MissingError
		if _, err := r.Start(Request{Kind: Run}); !errors.As(err, &missing) || missing.Program != program {
			t.Errorf("%s: %v", program, err)
		}
		r.Close()
	}
}

// Close hangs, and with it the server's end, if a start that failed left something to wait for.
func TestAProgramThatCannotBeRunIsNamed(t *testing.T) {
	garbage := filepath.Join(t.TempDir(), "garbage")
	if err := os.WriteFile(garbage, []byte("\x00no program"), 0o700); err != nil {
		t.Fatal(err)
	}
	r := New(Config{Program: garbage, OnChange: func(Job) { t.Error("a job") }, Log: slog.New(slog.DiscardHandler)})
	var broken *StartError
	if _, err := r.Start(Request{Kind: Run}); !errors.As(err, &broken) || broken.Program != garbage || !errors.Is(err, syscall.ENOEXEC) {
		t.Errorf("%v", err)
	}
	if j, ok := r.Current(); ok {
		t.Errorf("a job: %+v", j)
	}
	closed := make(chan bool, 1)
	go func() { r.Close(); closed <- true }()
	testkit.Receive(t, closed)
}

func TestSentence(t *testing.T) {
	for said, want := range map[string]string{
		"": "", "no": "No.", "Whole.": "Whole.", "überall": "Überall.", strings.Repeat("é", 2000): "É" + strings.Repeat("é", maxSaid-1) + "…",
	} {
		if got := sentence(said); got != want {
			t.Errorf("%.20q: %.20q, want %.20q", said, got, want)
		}
	}
}
