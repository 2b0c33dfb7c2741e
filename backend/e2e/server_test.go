package e2e

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/process"

	"mlxbar/backend/datadir"
	"mlxbar/backend/settings"
	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/upstream"
)

// patience is how long anything may take that has the engine load or two busy
// cores in it. It bounds a failing test and is no measure of speed.
const patience = 4 * testkit.Patience

// house is a data folder with a server that runs on it, a scripted upstream as
// its provider "far", and words that must be found nowhere once all is over.
type house struct {
	t        *testing.T
	paths    datadir.Paths
	settings settings.Settings
	upstream *upstream.Server
	secrets  secrets

	url, token string
	cmd        *exec.Cmd
	said       *testkit.Output // stdout and stderr of all the servers of this house
	ended      chan error
}

// newHouse starts a server. A model whose name has an = goes to the upstream,
// which takes the name for a script, as in "cut=1ms"; all others stay local.
func newHouse(t *testing.T, change ...func(*settings.Settings)) *house {
	t.Helper()
	h := &house{t: t, secrets: newSecrets(), said: &testkit.Output{}, settings: settings.Defaults()}
	dir := filepath.Join(t.TempDir(), "data folder")
	if err := os.Rename(testkit.Prepared(t), dir); err != nil {
		t.Fatal(err)
	}
	h.paths = datadir.At(dir)
	h.upstream = testkit.NewUpstream(t, upstream.Key(h.secrets.providerKey))
	h.settings.Providers = []settings.Provider{{Name: "far", Kind: settings.KindOpenAI, BaseURL: h.upstream.URL, APIKeyEnv: "FAR_KEY"}}
	h.settings.Routes = []settings.Route{{Model: "*=*", Targets: []settings.Target{{Provider: "far"}}}}
	for _, c := range change {
		c(&h.settings)
	}
	raw, err := json.Marshal(h.settings)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.paths.Settings, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.finish() })
	h.start()
	return h
}

var readyLine = regexp.MustCompile(`^mlxbar \S+ ready on (http://127\.0\.0\.1:\d+)$`)

func (h *house) start() {
	h.t.Helper()
	h.cmd = exec.Command(program, "serve", "--addr", "127.0.0.1:0", "--data-dir", h.paths.Root, "--log-level", "debug")
	h.cmd.Env = append(os.Environ(), "FAR_KEY="+h.secrets.providerKey)
	h.cmd.Stderr = h.said
	stdout, err := h.cmd.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := h.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	cmd, lines, ended := h.cmd, make(chan string, 1), make(chan error, 1)
	h.ended = ended
	go func() {
		defer close(lines)
		reader := bufio.NewReader(io.TeeReader(stdout, h.said))
		if line, err := reader.ReadString('\n'); err == nil {
			lines <- strings.TrimSuffix(line, "\n")
		}
		io.Copy(io.Discard, reader) // what else it says is in h.said
		ended <- cmd.Wait()
	}()
	select {
	case line := <-lines:
		m := readyLine.FindStringSubmatch(line)
		if m == nil {
			h.t.Fatalf("the server said %q instead of being ready:\n%s", line, h.said)
		}
		h.url = m[1]
	case <-time.After(patience):
		h.t.Fatalf("the server was not ready:\n%s", h.said)
	}
	token, err := os.ReadFile(h.paths.AdminToken)
	if err != nil {
		h.t.Fatal(err)
	}
	h.token = strings.TrimSpace(string(token))
}

// stop asks the server to end, as a terminal or launchd does, and expects it to
// end well and to leave no engine behind.
func (h *house) stop() {
	h.t.Helper()
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		h.t.Error(err)
	}
	h.wait(0)
}

func (h *house) wait(wantCode int) {
	h.t.Helper()
	select {
	case <-h.ended:
		if code := h.cmd.ProcessState.ExitCode(); code != wantCode {
			h.t.Errorf("the server ended with %s, want code %d", h.cmd.ProcessState, wantCode)
		}
	case <-time.After(patience):
		h.t.Error("the server did not end; killing it")
		h.cmd.Process.Kill()
		<-h.ended
	}
	h.cmd = nil
	h.eventually("its engines and its benchmark have ended", func() bool { return len(h.children()) == 0 })
}

func (h *house) finish() {
	if h.cmd != nil {
		h.stop()
	}
	h.secrets.nowhere(h.t, h.paths.Root, h.said.String())
	if h.t.Failed() {
		log, _ := os.ReadFile(h.paths.Log)
		h.t.Logf("the server said:\n%s\nand logged:\n%s", h.said, log[max(0, len(log)-8000):])
	}
}

// children are the engines of this data folder, and the benchmark of its server.
func (h *house) children() (pids []int32) {
	h.t.Helper()
	all, err := process.Processes()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, p := range all {
		line, err := p.Cmdline()
		of := func(script string) bool { return strings.Contains(line, filepath.Join(h.paths.Run, script)) }
		if err == nil && (of("llamacpp-serve.py") || of("mlx-serve.py") || strings.Contains(line, benchmarkOf(h))) {
			pids = append(pids, p.Pid)
		}
	}
	return pids
}

func (h *house) eventually(what string, condition func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("waited in vain until %s", what)
		}
	}
}
