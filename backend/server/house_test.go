package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/renameio/v2"
	"go.uber.org/goleak"

	"mlxbar/backend/admin"
	"mlxbar/backend/audit"
	"mlxbar/backend/datadir"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/server"
	"mlxbar/backend/storage"
	"mlxbar/backend/testkit"
)

// keyEnv names the variable in which the provider's key stands.
const (
	keyEnv      = "MLXBAR_SERVER_TEST_KEY"
	providerKey = "sk-canary-of-the-provider"
)

func TestMain(m *testing.M) {
	os.Setenv(keyEnv, providerKey)
	// lumberjack keeps one goroutine for each log file for good; Close does not end it.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"))
}

// house is a whole server in this process, on a data folder of its own, whose only
// provider is upstream.
type house struct {
	t     *testing.T
	paths datadir.Paths
	opts  server.Options
	log   testkit.Output

	said       <-chan string // what it writes to stdout, line by line
	url, token string
	client     *http.Client
	stop       context.CancelFunc // as a signal does
	ended      chan error
	result     error
	over       bool
}

// newHouse makes the folder and its settings, and starts nothing. All models go to
// the upstream at the base URL.
func newHouse(t *testing.T, upstream string) *house {
	t.Helper()
	// A space in the path, as "Application Support" has one.
	h := &house{t: t, paths: datadir.At(filepath.Join(t.TempDir(), "data folder"))}
	h.opts = server.Options{DataDir: h.paths.Root, Addr: "127.0.0.1:0", LogLevel: slog.LevelDebug, LogToStderr: true, Stderr: &h.log}
	if err := h.paths.EnsureDirs(); err != nil {
		t.Fatal(err)
	}
	h.writeSettings(settingsFor(upstream, ""))
	return h
}

// settingsFor gives a settings.json with one provider for all models, and more
// members if there are any.
func settingsFor(upstream, more string) string {
	return fmt.Sprintf(`{"version": 2, %s
		"providers": [{"name": "far", "kind": "openai", "base_url": %q, "api_key_env": %q}],
		"routes": [{"model": "*", "targets": [{"provider": "far"}]}]}`, more, upstream, keyEnv)
}

// writeSettings writes them as editors do: a server that reads them meanwhile reads the old ones or the new ones.
func (h *house) writeSettings(text string) {
	h.t.Helper()
	if err := renameio.WriteFile(h.paths.Settings, []byte(text), 0o600, renameio.IgnoreUmask()); err != nil {
		h.t.Fatal(err)
	}
}

// start runs the server and waits for its ready line.
func (h *house) start() {
	h.t.Helper()
	h.said = h.run()
	select {
	case line := <-h.said:
		before, url, found := strings.Cut(line, " ready on ")
		if !found || before != "mlxbar "+server.Version || !strings.HasPrefix(url, "http://127.0.0.1:") && !strings.HasPrefix(url, "http://[::1]:") {
			h.t.Fatalf("the ready line is %q", line)
		}
		h.url = url
	case err := <-h.ended:
		h.over = true
		h.t.Fatalf("the server ended before it was ready: %v", err)
	case <-time.After(testkit.Patience):
		h.t.Fatal("the server was never ready")
	}
	raw, err := os.ReadFile(h.paths.AdminToken)
	if err != nil {
		h.t.Fatal(err)
	}
	h.token = strings.TrimSpace(string(raw))
}

// run starts the server and gives the lines that it writes to stdout.
func (h *house) run() (lines <-chan string) {
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	h.opts.Stdout = in
	h.stop, h.ended, h.over = cancel, make(chan error, 1), false
	h.client = &http.Client{Transport: &http.Transport{}, Timeout: testkit.Patience, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	said := make(chan string, 16)
	go func() {
		defer close(said)
		for s := bufio.NewScanner(out); s.Scan(); {
			said <- s.Text()
		}
	}()
	go func() {
		err := server.Run(ctx, h.opts)
		in.Close()
		h.ended <- err
	}()
	h.t.Cleanup(func() {
		cancel()
		h.client.CloseIdleConnections()
		if err := h.wait(); err != nil {
			h.t.Errorf("the server ended with: %v", err)
		}
	})
	return said
}

// wait waits for Run to return and gives its error.
func (h *house) wait() error {
	h.t.Helper()
	if !h.over {
		h.result = testkit.Receive(h.t, h.ended)
		h.over = true
	}
	return h.result
}

// fails runs a server that cannot start and gives the error.
func (h *house) fails() error {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), testkit.Patience)
	defer cancel()
	h.opts.Stdout = io.Discard
	err := server.Run(ctx, h.opts)
	if err == nil {
		h.t.Fatal("the server started")
	}
	return err
}

func (h *house) request(method, path, body string, change ...func(*http.Request)) *http.Response {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if strings.HasPrefix(path, "/api/") {
		req.Header.Set("Authorization", "Bearer "+h.token)
	}
	for _, c := range change {
		c(req)
	}
	resp, err := h.client.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Del(name)
		if value != "" {
			r.Header.Set(name, value)
		}
	}
}

// text reads an answer and holds its status.
func (h *house) text(resp *http.Response, status int) string {
	h.t.Helper()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	if resp.StatusCode != status {
		h.t.Fatalf("%s %s: %s, want %d: %s", resp.Request.Method, resp.Request.URL.Path, resp.Status, status, raw)
	}
	return string(raw)
}

// problem reads an answer that must be a problem of the kind.
func (h *house) problem(resp *http.Response, kind problem.Kind) problem.Document {
	h.t.Helper()
	raw := h.text(resp, kind.Status())
	var d problem.Document
	if err := json.Unmarshal([]byte(raw), &d); err != nil {
		h.t.Fatalf("no problem document: %v in %q", err, raw)
	}
	if got := resp.Header.Get("Content-Type"); got != problem.ContentType {
		h.t.Errorf("Content-Type %q, want %q", got, problem.ContentType)
	}
	if d.Type != "/problems/"+string(kind) || d.Status != resp.StatusCode || d.Title == "" || d.Detail == "" || d.Instance != resp.Request.URL.Path {
		h.t.Errorf("the document %+v, want one of %s that is whole", d, kind)
	}
	if id := resp.Header.Get("X-Request-ID"); id == "" || d.RequestID != id {
		h.t.Errorf("request_id %q, X-Request-ID %q", d.RequestID, id)
	}
	return d
}

func (h *house) status() admin.Status {
	h.t.Helper()
	var s admin.Status
	if err := json.Unmarshal([]byte(h.text(h.request("GET", "/api/status", ""), 200)), &s); err != nil {
		h.t.Fatal(err)
	}
	return s
}

// chat asks model; more members of the body may follow.
func (h *house) chat(model string, stream bool, change ...func(*http.Request)) *http.Response {
	h.t.Helper()
	body, err := json.Marshal(map[string]any{"model": model, "stream": stream, "messages": []any{map[string]any{"role": "user", "content": "hello"}}})
	if err != nil {
		h.t.Fatal(err)
	}
	return h.request("POST", "/v1/chat/completions", string(body), change...)
}

// recorded reads the audit from the file, as one does whose server has ended.
func (h *house) recorded() []audit.Record {
	h.t.Helper()
	db, err := storage.OpenReadOnly(h.t.Context(), h.paths.Database)
	if err != nil {
		h.t.Fatal(err)
	}
	page, err := audit.NewStore(db).Query(h.t.Context(), audit.Filter{}, audit.View{Limit: audit.MaxLimit})
	if err := errors.Join(err, db.Close()); err != nil {
		h.t.Fatal(err)
	}
	return page.Records
}

// eventually waits until is holds, for which a busy machine may have to load the real engine first.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(4 * testkit.Patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain: " + what)
		}
	}
}
