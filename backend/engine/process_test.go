package engine

import (
	"bytes"
	"context"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mlxbar/backend/child"
	"mlxbar/backend/testkit"
)

// readyChild starts a child without a pool and waits until it answers; before runs
// while it loads.
func readyChild(t *testing.T, spec Spec, before ...func(*testkit.Output)) (*process, *Lease, *testkit.Output) {
	t.Helper()
	log := &testkit.Output{}
	p, err := startProcess(spec, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Kill(); <-p.Drained() })
	for _, do := range before {
		do(log)
	}
	base, err := p.waitReady(t.Context(), testkit.Patience)
	if err != nil {
		t.Fatal(err)
	}
	return p, NewLease("fake", base, spec.APIKey, p.Gone(), func() {}), log
}

func TestAChildIsAskedToEndLessAndLessGently(t *testing.T) {
	const never = testkit.Patience
	for name, c := range map[string]struct {
		script script
		grace  time.Duration
		want   string
	}{
		"its stdin closes": {script{}, never, "exit status 0"},
		"SIGTERM":          {script{DeafToStdin: true}, 2 * time.Second, "exit status 14"},
		"SIGKILL":          {script{DeafToStdin: true, DeafToTERM: true}, 20 * time.Millisecond, "signal: killed"},
	} {
		t.Run(name, func(t *testing.T) {
			p, _, log := readyChild(t, childSpec(c.script))
			within(t, "stop", func(ctx context.Context) { p.stop(ctx, c.grace) })
			if got := p.State().String(); got != c.want {
				t.Errorf("it ended by %q, want %q", got, c.want)
			}
			if !strings.Contains(log.String(), "ended: "+c.want) {
				t.Errorf("the log does not say how it ended:\n%s", log)
			}
			within(t, "a second stop", func(ctx context.Context) { p.stop(ctx, c.grace) })
		})
	}
}

// A process that a child leaves behind keeps nobody waiting.
func TestAnHeirOfTheOutputHoldsNothingUp(t *testing.T) {
	file := filepath.Join(t.TempDir(), "heir")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p, _, _ := readyChild(t, childSpec(script{Heir: file}))
	within(t, "stop", func(ctx context.Context) { p.stop(ctx, testkit.Patience) })
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
}

// Whoever looks at the list of processes sees neither key nor secret.
func TestAKeyIsInNoArgumentAndNoEnvironment(t *testing.T) {
	t.Setenv("SOME_PROVIDER_KEY", "sk-of-the-server")
	spec := childSpec(script{})
	_, lease, log := readyChild(t, spec)
	environ := tell(t, lease, "/environ", nil)
	for _, entry := range strings.Split(environ, "\n") {
		if !slices.Contains(spec.Env, entry) {
			t.Errorf("the child's environment has %q", entry)
		}
	}
	for what, text := range map[string]string{"environment": environ, "arguments": strings.Join(spec.Args, " "), "log": log.String()} {
		if strings.Contains(text, lease.APIKey) || strings.Contains(text, "sk-of-the-server") {
			t.Errorf("the child's %s holds a key", what)
		}
	}
}

func TestOnlyWhatMayBeLoggedIs(t *testing.T) {
	file, open := gate(t)
	spec := childSpec(script{Gate: file, Says: []string{"loading layer 1", "secretive while loading"}})
	spec.LogLine = func(line []byte, ready bool) []byte {
		if ready && !bytes.HasPrefix(line, []byte("count ")) {
			return nil
		}
		return line
	}
	p, lease, log := readyChild(t, spec, func(log *testkit.Output) {
		eventually(t, "what it says", func() bool { return strings.Contains(log.String(), "secretive") })
		open()
	})
	tell(t, lease, "/say", url.Values{"stdout": {"a prompt on stdout"}, "stderr": {"a prompt on stderr"}})
	tell(t, lease, "/say", url.Values{"stdout": {"count 1"}, "stderr": {"count 2\nthe prompt's second line"}})
	within(t, "stop", func(ctx context.Context) { p.stop(ctx, testkit.Patience) })
	text := log.String()
	for _, want := range []string{"started, pid", "loading layer 1\n", "secretive while loading\n", "count 1\n", "count 2\n", "ended: exit status 0"} {
		if !strings.Contains(text, want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	if strings.Contains(text, "prompt") {
		t.Errorf("the log has what was asked:\n%s", text)
	}
}

// What is kept to explain a failed start holds nothing of the time after.
func TestLinesAreKeptOnlyUntilItIsReady(t *testing.T) {
	file, open := gate(t)
	says := make([]string, keptLines+5)
	for i := range says {
		says[i] = strings.Repeat("x", i+1)
	}
	p, lease, _ := readyChild(t, childSpec(script{Gate: file, Says: says}), func(log *testkit.Output) {
		eventually(t, "the last line", func() bool { return strings.Contains(log.String(), says[len(says)-1]) })
		open()
	})
	tell(t, lease, "/say", url.Values{"stderr": {"a prompt"}})
	within(t, "stop", func(ctx context.Context) { p.stop(ctx, testkit.Patience) })
	if got := p.lastLines(); !slices.Equal(got, says[5:]) {
		t.Errorf("%d lines were kept, from %q to %q", len(got), got[0], got[len(got)-1])
	}
}

func TestALongLineIsCut(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", child.MaxLine/16+50)
	p, _, log := readyChild(t, childSpec(script{Says: []string{long + "TAIL", "the next line"}}))
	within(t, "stop", func(ctx context.Context) { p.stop(ctx, testkit.Patience) })
	if text := log.String(); strings.Contains(text, "TAIL") || !strings.Contains(text, "\nthe next line\n") || !strings.Contains(text, long[:child.MaxLine-16]) {
		t.Error("a long line was not cut at its limit")
	}
}

func TestTheLogIsRotated(t *testing.T) {
	r := newRig(t, &fakeEngine{script: func(int) script { return script{SaysPlenty: 700} }}, nil) // 5.6 MB
	r.acquire().Release()
	files, err := filepath.Glob(filepath.Join(r.logDir, "engine-"+modelName+"-*.log"))
	if err != nil || len(files) != 1 {
		t.Errorf("%d old logs, %v", len(files), err)
	}
	info, err := os.Stat(filepath.Join(r.logDir, "engine-"+modelName+".log"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the log is not its owner's alone: %v, %v", info, err)
	}
}

func TestALogsNameFitsTheFileSystem(t *testing.T) {
	long := strings.Repeat("m", 250)
	a, b := openLog("", long+"a").Filename, openLog("", long+"b").Filename
	if a == b || len(a) > 200 {
		t.Errorf("the names are %q and %q", a, b)
	}
}

func TestOnlyLoopbackCounts(t *testing.T) {
	for address, want := range map[string]bool{
		"http://127.0.0.1:80": true, "http://127.8.8.8:1": true, "http://[::1]:80": true,
		"http://localhost:80": false, "http://0.0.0.0:80": false, "https://127.0.0.1:80": false,
		"http://10.0.0.1:80": false, "http://127.0.0.1.example.com": false, "http://127.0.0.1@example.com": false,
		"": false, "127.0.0.1:80": false, "file:///127.0.0.1": false,
	} {
		if onLoopback(address) != want {
			t.Errorf("onLoopback(%q) is %v", address, !want)
		}
	}
}
