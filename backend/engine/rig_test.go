package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mlxbar/backend/models"
	"mlxbar/backend/testkit"
)

const modelName = "small"

// noPause keeps a child that is built with the race detector from sleeping before it ends.
const noPause = "GORACE=atexit_sleep_ms=0"

// brisk is a pool's patience in tests: pauses are short, and what would only be
// waited for in vain is far away. A test shortens what it is about.
var brisk = timing{
	startTimeout: testkit.Patience, stopGrace: testkit.Patience, drain: testkit.Patience,
	probeEvery: time.Hour, tokenEvery: time.Hour, probeTimeout: testkit.Patience, tokenTimeout: testkit.Patience, probeMisses: 2,
	retryMin: time.Millisecond, retryMax: 10 * time.Millisecond, window: time.Hour, maxDeaths: 5,
	tendEvery: time.Hour,
}

// fakeEngine starts this test binary as a child, and counts.
type fakeEngine struct {
	prepare func(ctx context.Context, report func(string)) error
	name    string                  // what follows "fake" in it
	script  func(launch int) script // of the n-th launch, from 1
	spec    func(*Spec)
	refuses error // of every launch

	mu       sync.Mutex
	launches int
}

func (e *fakeEngine) Name() string { return "fake" + e.name }

func (e *fakeEngine) Prepare(ctx context.Context, report func(string)) error {
	if e.prepare == nil {
		return nil
	}
	return e.prepare(ctx, report)
}

func (e *fakeEngine) Launch(models.Model) (Spec, error) {
	e.mu.Lock()
	e.launches++
	n := e.launches
	e.mu.Unlock()
	var s script
	if e.script != nil {
		s = e.script(n)
	}
	if e.refuses != nil {
		return Spec{}, e.refuses
	}
	spec := childSpec(s)
	if e.spec != nil {
		e.spec(&spec)
	}
	return spec, nil
}

func (e *fakeEngine) launched() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.launches
}

// childSpec starts the test binary as a child that follows s.
func childSpec(s script) Spec {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	key := rand.Text()
	return Spec{
		Command: self, Env: []string{roleVariable + "=child", scriptVariable + "=" + string(text), noPause},
		Stdin: []byte(key + "\n"), APIKey: key, Health: "/health", Identity: s.Identity, Turning: "/turning",
		Token: &Question{Path: "/token", Body: "{}", Answered: func(b []byte) bool { return len(b) > 0 }},
		Ready: func(line []byte) (string, bool) { return strings.CutPrefix(string(line), "ready ") },
	}
}

// fakeLibrary knows a few names; an error stands for a model that cannot be loaded.
type fakeLibrary struct {
	mu     sync.Mutex
	known  map[string]error
	format models.Format // of all; "" is GGUF
}

func (l *fakeLibrary) Find(name string) (models.Model, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	err, ok := l.known[name]
	if !ok {
		return models.Model{}, models.ErrUnknown
	}
	return models.Model{Name: name, Format: cmp.Or(l.format, models.GGUF)}, err
}

func (l *fakeLibrary) set(name string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known[name] = err
}

func (l *fakeLibrary) replace(format models.Format) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.format = format
}

type rig struct {
	*Pool
	t       *testing.T
	engine  *fakeEngine
	library *fakeLibrary
	logDir  string
}

// newRig makes a pool over a fake engine; change, which may be nil, sees its parts
// before. The pool is closed with the test, and then no child may be left.
func newRig(t *testing.T, e *fakeEngine, change func(*Config, *timing)) *rig {
	t.Helper()
	r := &rig{t: t, engine: e, library: &fakeLibrary{known: map[string]error{modelName: nil}}, logDir: filepath.Join(t.TempDir(), "engine logs")}
	cfg := Config{Library: r.library, Engines: map[models.Format]Engine{models.GGUF: e}, LogDir: r.logDir, Logger: slog.New(slog.DiscardHandler)}
	patience := brisk
	if change != nil {
		change(&cfg, &patience)
	}
	r.Pool = newPool(cfg, patience)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
		defer cancel()
		if err := r.Close(ctx); err != nil {
			t.Errorf("closing the pool: %v", err)
		}
	})
	return r
}

// Restart is that of all models.
func (r *rig) Restart(ctx context.Context) { r.Pool.Restart(ctx, func(string) bool { return true }) }

// acquire leases the model, or fails the test.
func (r *rig) acquire() *Lease {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	lease, err := r.Acquire(ctx, modelName)
	if err != nil {
		r.t.Fatalf("Acquire: %v", err)
	}
	return lease
}

type acquired struct {
	lease *Lease
	err   error
}

// acquireMany lets n callers ask at once.
func (r *rig) acquireMany(n int) <-chan acquired {
	results := make(chan acquired, n)
	for range n {
		go func() {
			lease, err := r.Acquire(r.t.Context(), modelName)
			results <- acquired{lease, err}
		}()
	}
	return results
}

func (r *rig) state() Status {
	for _, s := range r.States() {
		if s.Model == modelName {
			return s
		}
	}
	return Status{}
}

func (r *rig) waitState(want State) Status {
	r.t.Helper()
	var last Status
	eventually(r.t, fmt.Sprintf("the state %s", want), func() bool {
		last = r.state()
		return last.State == want
	})
	return last
}

// kill ends the model's child as the system would.
func (r *rig) kill() (pid int) { r.t.Helper(); return r.signal(syscall.SIGKILL) }

// signal sends the child one. 0, which stands for none, would be this test and all that is with it.
func (r *rig) signal(s syscall.Signal) (pid int) {
	r.t.Helper()
	pid = r.state().PID
	if pid == 0 {
		r.t.Fatal("there is no child to signal")
	}
	if err := syscall.Kill(pid, s); err != nil {
		r.t.Fatal(err)
	}
	return pid
}

// log is what stands in the model's log.
func (r *rig) log() string {
	text, err := os.ReadFile(filepath.Join(r.logDir, "engine-"+modelName+".log"))
	if err != nil && !os.IsNotExist(err) {
		r.t.Fatal(err)
	}
	return string(text)
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(testkit.Patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// gate is a file that lets children become ready once it is opened.
func gate(t *testing.T) (file string, open func()) {
	file = filepath.Join(t.TempDir(), "gate")
	return file, func() {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Error(err)
		}
	}
}

// ask sends the child of a lease a request; key is the lease's unless it is given.
func ask(ctx context.Context, lease *Lease, path string, key ...string) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, lease.BaseURL+path, nil)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Authorization", "Bearer "+append(key, lease.APIKey)[0])
	res, err := prober.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}

func tell(t *testing.T, lease *Lease, path string, form url.Values) string {
	t.Helper()
	status, body, err := ask(t.Context(), lease, path+"?"+form.Encode())
	if err != nil || status != http.StatusOK {
		t.Fatalf("%s: status %d, %v", path, status, err)
	}
	return body
}

func gone(t testing.TB, lease *Lease) {
	t.Helper()
	if !lease.Stopped(testkit.Patience) {
		t.Fatal("Gone was not closed")
	}
}

// within runs do, which may wait, and fails the test when it does not come back.
func within(t *testing.T, what string, do func(context.Context)) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do(context.Background())
	}()
	select {
	case <-done:
	case <-time.After(testkit.Patience):
		t.Fatalf("%s did not come back", what)
	}
}
