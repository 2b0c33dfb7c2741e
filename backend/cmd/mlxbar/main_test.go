package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mlxbar/backend/datadir"
	"mlxbar/backend/testkit"
)

func TestMain(m *testing.M) {
	if testkit.IsProgram() {
		os.Exit(run())
	}
	goleak.VerifyTestMain(m)
}

// house is a data folder and the commands that are run on it.
type house struct {
	t     *testing.T
	paths datadir.Paths
}

func newHouse(t *testing.T) *house {
	return &house{t, datadir.At(filepath.Join(t.TempDir(), "data folder"))}
}

func (h *house) command(args ...string) *exec.Cmd {
	h.t.Helper()
	return testkit.Program(h.t, h.paths.Root, args...)
}

// outcome is how a command ended.
type outcome struct {
	stdout, stderr string
	code           int
}

// mlxbar runs a command to its end.
func (h *house) mlxbar(args ...string) outcome {
	h.t.Helper()
	cmd := h.command(args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	timer := time.AfterFunc(testkit.Patience, func() { cmd.Process.Kill() })
	err := cmd.Wait()
	if !timer.Stop() {
		h.t.Fatalf("mlxbar %v did not end: %s%s", args, &stdout, &stderr)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		h.t.Fatal(err)
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// good runs a command that must succeed and gives what it wrote to stdout.
func (h *house) good(args ...string) string {
	h.t.Helper()
	o := h.mlxbar(args...)
	if o.code != 0 {
		h.t.Fatalf("mlxbar %v: exit code %d: %s", args, o.code, o.stderr)
	}
	return o.stdout
}

// refused runs a command that must fail with one sentence on stderr, which says all
// of parts, and nothing on stdout.
func (h *house) refused(args []string, parts ...string) {
	h.t.Helper()
	o := h.mlxbar(args...)
	if o.code != 1 || o.stdout != "" {
		h.t.Errorf("mlxbar %v: exit code %d, stdout %q; want 1 and nothing", args, o.code, o.stdout)
	}
	if !strings.HasPrefix(o.stderr, "mlxbar: ") || strings.Count(o.stderr, "\n") != 1 {
		h.t.Errorf("mlxbar %v: no single sentence: %q", args, o.stderr)
	}
	for _, part := range parts {
		if !strings.Contains(o.stderr, part) {
			h.t.Errorf("mlxbar %v: %q does not say %q", args, o.stderr, part)
		}
	}
}

// program is a running `mlxbar serve`.
type program struct {
	t      *testing.T
	cmd    *exec.Cmd
	url    string
	stderr *bytes.Buffer // to be read once it has ended
	rest   chan string   // what stdout held beyond the ready line
	ended  chan error
	state  *os.ProcessState
}

// serve starts the server and waits for its ready line.
func (h *house) serve(args ...string) *program {
	h.t.Helper()
	p := &program{t: h.t, stderr: &bytes.Buffer{}, rest: make(chan string, 1), ended: make(chan error, 1)}
	p.cmd = h.command(append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...)
	p.cmd.Stderr = p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	ready := make(chan string, 1)
	go func() {
		r := bufio.NewReader(stdout)
		line, _ := r.ReadString('\n') // without one, the line does not fit below
		ready <- line
		rest, _ := io.ReadAll(r)
		p.rest <- string(rest)
		p.ended <- p.cmd.Wait()
	}()
	h.t.Cleanup(func() {
		if p.state == nil {
			p.cmd.Process.Kill()
			p.wait()
		}
	})
	line := testkit.Receive(h.t, ready)
	url, found := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "mlxbar 0.1.0-dev ready on ")
	if !found || !strings.HasPrefix(url, "http://127.0.0.1:") {
		p.cmd.Process.Kill()
		p.wait()
		h.t.Fatalf("the ready line is %q; stderr %s", line, p.stderr)
	}
	p.url = url
	return p
}

func (p *program) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// wait waits for the program's end and gives its state.
func (p *program) wait() *os.ProcessState {
	p.t.Helper()
	if p.state == nil {
		testkit.Receive(p.t, p.ended) // the state tells how it ended
		p.state = p.cmd.ProcessState
	}
	return p.state
}

var linkLine = regexp.MustCompile(`^log in at http://127\.0\.0\.1:\d+/login\?code=\w+\n$`)

// ends waits for the end of a server that was told to stop.
func (p *program) ends() {
	p.t.Helper()
	if state := p.wait(); state.ExitCode() != 0 {
		p.t.Errorf("the server ended with %v: %s", state, p.stderr)
	}
	if rest := testkit.Receive(p.t, p.rest); !linkLine.MatchString(rest) {
		p.t.Errorf("after its ready line the server wrote %q to stdout, want a login link", rest)
	}
}

func (p *program) refusesConnections() bool {
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(p.url, "http://"), time.Second)
	if err == nil {
		conn.Close()
	}
	return err != nil
}

// ask sends a chat request and gives the answer as it begins.
func (p *program) ask(model string, stream bool) *http.Response {
	p.t.Helper()
	body := fmt.Sprintf(`{"model": %q, "stream": %t, "messages": [{"role": "user", "content": "hello"}]}`, model, stream)
	req, err := http.NewRequestWithContext(p.t.Context(), "POST", p.url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: testkit.Patience}
	resp, err := client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// provider writes settings that send all models to the provider at the base URL.
func (h *house) provider(url string) {
	h.t.Helper()
	if err := h.paths.EnsureDirs(); err != nil {
		h.t.Fatal(err)
	}
	h.write(h.paths.Settings, fmt.Sprintf(`{"providers": [{"name": "far", "kind": "openai", "base_url": %q}],
		"routes": [{"model": "*", "targets": [{"provider": "far"}]}]}`, url))
}

func (h *house) write(path, text string) {
	h.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// stuck is a provider that begins an answer and ends it when it is let.
func stuck(t *testing.T) (url string, letGo func()) {
	open := make(chan struct{})
	letGo = sync.OnceFunc(func() { close(open) })
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, `data: {"choices":[{"index":0,"delta":{"content":"one"},"finish_reason":null}]}`+"\n\n")
		http.NewResponseController(w).Flush()
		select {
		case <-open:
			fmt.Fprint(w, `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`+"\n\ndata: [DONE]\n\n")
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() { letGo(); s.Close() })
	return s.URL + "/v1", letGo
}

// eventually waits until is holds.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(testkit.Patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain: " + what)
		}
	}
}

// endedBy says which signal ended a process.
func endedBy(state *os.ProcessState) syscall.Signal {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return status.Signal()
	}
	return -1
}
