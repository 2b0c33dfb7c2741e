package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mlxbar/backend/bench/results"
	"mlxbar/backend/datadir"
	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/upstream"
)

func TestMain(m *testing.M) {
	if testkit.IsProgram() {
		os.Exit(run())
	}
	goleak.VerifyTestMain(m)
}

// patience is for what has the engine in it, on a machine with other things to do. It
// bounds a failing test and is no measure of speed.
const patience = 8 * testkit.Patience

// program is a process that runs until its test ends, at most.
type program struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr *testkit.Output
	ended          chan error
}

func start(t *testing.T, cmd *exec.Cmd) *program {
	t.Helper()
	p := &program{t: t, cmd: cmd, stdout: &testkit.Output{}, stderr: &testkit.Output{}, ended: make(chan error, 1)}
	cmd.Stdout, cmd.Stderr = p.stdout, p.stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { p.ended <- cmd.Wait(); close(done) }()
	t.Cleanup(func() {
		select {
		case <-done:
		default:
			cmd.Process.Kill()
			<-done
		}
	})
	return p
}

// benchmark starts mlx-benchmark on a data folder.
func benchmark(t *testing.T, dataDir string, args ...string) *program {
	t.Helper()
	cmd := testkit.Program(t, dataDir, args...)
	cmd.Env = append(cmd.Env, "LOGFIRE_TOKEN=") // the keychain of who runs the tests is left alone
	return start(t, cmd)
}

func (p *program) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// wait waits for the end and gives the exit code; -1 of a process that a signal ended.
func (p *program) wait() int {
	p.t.Helper()
	select {
	case err := <-p.ended:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			p.t.Fatal(err)
		}
	case <-time.After(patience):
		p.t.Fatalf("it did not end: %s%s", p.stdout, p.stderr)
	}
	return p.cmd.ProcessState.ExitCode()
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain: " + what)
		}
	}
}

func read(t *testing.T, path string) *results.File {
	t.Helper()
	f, err := results.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestCtrlCKeepsWhatWasMeasured(t *testing.T) {
	for name, command := range map[string][]string{
		"run":   {"run", "--format", "json"},
		"suite": {"suite", "--prompt", "short", "--concurrency", "1,2"},
	} {
		t.Run(name, func(t *testing.T) {
			up := testkit.NewUpstream(t)
			out := filepath.Join(t.TempDir(), "my results.json")
			// An answer is there at once; all of them would take minutes.
			p := benchmark(t, t.TempDir(), append(command, "--url", up.URL, "--model", "ok", "--runs", "100000", "--output", out)...)
			eventually(t, "some answers are measured", func() bool { return up.Counts().Answered > 5 })
			p.signal(os.Interrupt)
			if code := p.wait(); code != 1 || !strings.Contains(p.stderr.String(), "Ctrl-C again ends at once") || !strings.Contains(p.stderr.String(), "what was measured until then is kept") {
				t.Errorf("exit code %d: %s", code, p.stderr)
			}
			f := read(t, out)
			cases := slices.DeleteFunc(f.Cases, func(c results.Case) bool { return c.Status == results.Skipped })
			c := cases[0]
			if f.Complete || !strings.Contains(f.BrokenOff, "Ctrl-C") || c.Status != results.BrokenOff || c.Answered < 4 || c.Failed != 0 || c.Total == nil {
				t.Errorf("complete %v, %q, %d answered, %d failed, %s", f.Complete, f.BrokenOff, c.Answered, c.Failed, c.Status)
			}
			for _, c := range cases[1:] {
				if c.Status != results.NotRun || c.Reason == "" {
					t.Errorf("%s, %d at a time: %s", c.Route, c.Concurrency, c.Status)
				}
			}
			if strings.Contains(p.stderr.String(), "[#") || strings.Contains(p.stderr.String(), "\r") {
				t.Errorf("a bar where there is no terminal: %q", p.stderr)
			}
		})
	}
}

func TestASecondCtrlCEndsAtOnce(t *testing.T) {
	up := testkit.NewUpstream(t)
	// The results go to a pipe that nobody reads, so the program cannot end by itself.
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	cmd := testkit.Program(t, t.TempDir(), "run", "--url", up.URL, "--model", "ok", "--runs", "100000", "--format", "json")
	p := &program{t: t, cmd: cmd, stdout: &testkit.Output{}, stderr: &testkit.Output{}, ended: make(chan error, 1)}
	cmd.Stdout, cmd.Stderr = writer, p.stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	go func() { p.ended <- cmd.Wait() }()
	eventually(t, "more is measured than a pipe holds", func() bool { return up.Counts().Answered > 1000 })
	p.signal(os.Interrupt)
	if err := reader.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Read(make([]byte, 1)); err != nil {
		t.Fatalf("it prints nothing: %v, %s", err, p.stderr)
	}
	p.signal(os.Interrupt)
	if p.wait(); p.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGINT {
		t.Errorf("it ended with %v: %s", p.cmd.ProcessState, p.stderr)
	}
}

// serve builds the real server and runs it on a data folder with the real engine.
func serve(t *testing.T, dataDir string, up *upstream.Server) {
	t.Helper()
	settings := fmt.Sprintf(`{"providers": [{"name": "far", "kind": "openai", "base_url": %q}, {"name": "locked", "kind": "openai", "base_url": %q, "api_key_env": "NO_SUCH_KEY"}],
		"routes": [{"model": "gpt-far", "targets": [{"provider": "far", "model": "ok-5"}]}, {"model": "gpt-locked", "targets": [{"provider": "locked"}]}]}`, up.URL, up.URL)
	if err := os.WriteFile(datadir.At(dataDir).Settings, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := testkit.Build(dir, "mlxbar"); err != nil {
		t.Fatal(err)
	}
	p := start(t, exec.Command(filepath.Join(dir, "mlxbar"), "serve", "--addr", "127.0.0.1:0", "--data-dir", dataDir))
	eventually(t, "the server is ready", func() bool { return strings.Contains(p.stdout.String(), " ready on ") })
	t.Cleanup(func() {
		p.signal(syscall.SIGTERM)
		if code := p.wait(); code != 0 {
			t.Errorf("the server ended with %d: %s", code, p.stderr)
		}
	})
}

func TestTheRealServerAndEngineAreMeasured(t *testing.T) {
	dataDir := filepath.Join(t.TempDir(), "data folder")
	if err := os.Rename(testkit.Prepared(t), dataDir); err != nil {
		t.Fatal(err)
	}
	serve(t, dataDir, testkit.NewUpstream(t))

	out := filepath.Join(t.TempDir(), "results.json")
	p := benchmark(t, dataDir, "suite", "--output", out, "--prompt", "short", "--concurrency", "1,2", "--runs", "2", "--max-tokens", "8")
	if code := p.wait(); code != 0 {
		t.Fatalf("exit code %d: %s%s", code, p.stdout, p.stderr)
	}
	f := read(t, out)
	status := map[string]results.Status{}
	for _, c := range f.Cases {
		status[c.Route+" "+c.Model] = c.Status
		if c.Route != "local-llamacpp" {
			continue
		}
		// Eight tokens an answer, counted by the engine, which has told its times.
		if c.Answered != 2 || c.Tokens.Completion != 16 || c.Tokens.Prompt == 0 || c.Writing == nil || c.Writing.Source != results.ByEngine || c.Reading == nil || c.FirstToken == nil ||
			c.InterToken == nil || c.InterToken.N < 4 || len(c.ModelSHA256) != 64 || !c.IgnoreEOS {
			t.Errorf("%+v", c)
		}
	}
	for what, want := range map[string]results.Status{"local-llamacpp smollm2-135m-instruct": results.Measured, "openai gpt-far": results.Measured, "openai gpt-locked": results.Skipped,
		"local-mlx ": results.Skipped, "anthropic ": results.Skipped, "failover ": results.Skipped} {
		if status[what] != want {
			t.Errorf("%s: %q, want %q", what, status[what], want)
		}
	}
	if !f.Complete || f.Server.Version == "" || f.Machine.CPUs == 0 {
		t.Errorf("%+v", f.Server)
	}

	if p := benchmark(t, dataDir, "run", "--model", "nobody"); p.wait() != 2 || !strings.Contains(p.stderr.String(), "smollm2-135m-instruct") {
		t.Errorf("an unknown model: %s", p.stderr)
	}
	if p := benchmark(t, dataDir, "run", "--model", "smollm2-135m-instruct", "--stream=false", "--runs", "1", "--warmup", "0", "--max-tokens", "4"); p.wait() != 0 ||
		!strings.Contains(p.stdout.String(), "all 1 answered") {
		t.Errorf("in one piece: %s%s", p.stdout, p.stderr)
	}
}
