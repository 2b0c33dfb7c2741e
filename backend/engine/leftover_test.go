package engine

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mlxbar/backend/testkit"
)

// noted is a child that an earlier run has noted and left behind.
func noted(t *testing.T, dir string, change func(*mark)) *exec.Cmd {
	t.Helper()
	spec := childSpec(script{DeafToStdin: true})
	cmd := exec.Command(spec.Command, "of", "a model")
	cmd.Env = spec.Env
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { cmd.Process.Kill(); testkit.Receive(t, ended); in.Close() })
	started, err := startOf(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	m := mark{PID: cmd.Process.Pid, Started: started, Args: []string{"of", "a model"}}
	eventually(t, "its arguments to be there, a moment after its start", m.runs)
	if change != nil {
		change(&m)
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(cmd.Process.Pid, ".json")), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func marks(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestWhatAnEarlierRunLeftBehindIsEnded(t *testing.T) {
	dir := t.TempDir()
	left := noted(t, dir, nil)
	if err := left.Process.Signal(syscall.SIGSTOP); err != nil { // so that nothing gentler would end it
		t.Fatal(err)
	}
	log := &testkit.Output{}
	endLeftovers(dir, slog.New(slog.NewTextHandler(log, nil)))
	if _, err := startOf(left.Process.Pid); err == nil {
		t.Error("it still runs")
	}
	if !strings.Contains(log.String(), fmt.Sprint("pid=", left.Process.Pid)) {
		t.Errorf("the log does not tell of it: %s", log)
	}
	if m := marks(t, dir); len(m) > 0 {
		t.Errorf("marks are left: %v", m)
	}
}

// A llama-server of one's own is started by a shell, which then becomes it.
func TestWhatAShellBecameIsEnded(t *testing.T) {
	dir := t.TempDir()
	left := noted(t, dir, func(m *mark) {
		m.Args = []string{"-c", `exec "$@"`, "llama-server", "/opt/llama-server", "of", "a model"}
	})
	endLeftovers(dir, slog.New(slog.DiscardHandler))
	if _, err := startOf(left.Process.Pid); err == nil {
		t.Error("it still runs")
	}
}

// A number is given to another process in time. Only the very same one is ended.
func TestNobodyElseIsEnded(t *testing.T) {
	for name, change := range map[string]func(*mark){
		"one that was started at another time": func(m *mark) { m.Started += "1" },
		"one with other arguments":             func(m *mark) { m.Args = []string{"of", "another model"} },
		"one with more arguments":              func(m *mark) { m.Args = m.Args[:1] },
		"one with further arguments":           func(m *mark) { m.Args = append(m.Args, "--and more") },
		"the system's first":                   func(m *mark) { m.PID = 1 },
		"this one":                             func(m *mark) { m.PID = os.Getpid() },
		"a group of processes":                 func(m *mark) { m.PID = -m.PID },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			other := noted(t, dir, change)
			endLeftovers(dir, slog.New(slog.DiscardHandler))
			if _, err := startOf(other.Process.Pid); err != nil {
				t.Errorf("it was ended: %v", err)
			}
			if m := marks(t, dir); len(m) > 0 {
				t.Errorf("marks are left: %v", m)
			}
		})
	}
}

func TestADamagedMarkIsNoHarm(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "5.json"), []byte(`{"pid":`), 0o600); err != nil {
		t.Fatal(err)
	}
	endLeftovers(dir, slog.New(slog.DiscardHandler))
	if m := marks(t, dir); len(m) > 0 {
		t.Errorf("it is left: %v", m)
	}
	endLeftovers(filepath.Join(dir, "absent"), slog.New(slog.DiscardHandler))
	endLeftovers("", slog.New(slog.DiscardHandler))
}

func TestAChildIsNotedWhileItRuns(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run", "engines")
	r := newRig(t, &fakeEngine{}, func(c *Config, _ *timing) { c.RunDir = dir })
	lease := r.acquire()
	lease.Release()
	if m := marks(t, dir); len(m) != 1 || m[0] != fmt.Sprint(r.state().PID, ".json") {
		t.Errorf("the marks are %v", m)
	}
	text, err := os.ReadFile(filepath.Join(dir, marks(t, dir)[0]))
	if err != nil || strings.Contains(string(text), lease.APIKey) {
		t.Errorf("the mark is %s, %v", text, err)
	}
	if err := r.Unload(t.Context(), modelName); err != nil {
		t.Fatal(err)
	}
	if m := marks(t, dir); len(m) != 0 {
		t.Errorf("a mark is left of a child that has ended: %v", m)
	}
}

func TestAMarkThatCannotBeWrittenStopsNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	log := &testkit.Output{}
	r := newRig(t, &fakeEngine{}, func(c *Config, _ *timing) {
		c.RunDir, c.Logger = filepath.Join(file, "engines"), slog.New(slog.NewTextHandler(log, nil))
	})
	r.acquire().Release()
	if !strings.Contains(log.String(), "could not be marked") {
		t.Errorf("the log does not say so: %s", log)
	}
}
