package llamacpp

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mlxbar/backend/engine"
	"mlxbar/backend/models"
	"mlxbar/backend/testkit"
	"mlxbar/backend/units"
)

// limits are those of a pool, which a test changes.
type limits struct {
	mu     sync.Mutex
	now    engine.Limits
	pinned string
}

func (l *limits) set(change func(*limits)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
}

// twoCopies is a rig with the starter model and a copy of it, within limits.
func twoCopies(t *testing.T, options Options) (*rig, *limits) {
	t.Helper()
	l := &limits{}
	r := newRig(t, func(dir string, c *engine.Config) {
		c.Engines[models.GGUF] = New(dir, func(string) (Options, error) { return options, nil })
		c.Need = func(m models.Model) engine.Need {
			bytes, _ := m.Memory(m.Tokens(options.ContextSize, options.Parallel))
			return engine.Need{Bytes: bytes}
		}
		c.Limits = func() engine.Limits { l.mu.Lock(); defer l.mu.Unlock(); return l.now }
		c.Pinned = func(name string) bool { l.mu.Lock(); defer l.mu.Unlock(); return name == l.pinned }
	})
	r.damaged("copy", func(b []byte) []byte { return b })
	return r, l
}

func (r *rig) lease(name string) *engine.Lease {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), loading)
	defer cancel()
	lease, err := r.Acquire(ctx, name)
	if err != nil {
		r.t.Fatal(err)
	}
	return lease
}

func (r *rig) status(name string) engine.Status {
	for _, s := range r.States() {
		if s.Model == name {
			return s
		}
	}
	return engine.Status{}
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * testkit.Patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

const completion = `{"prompt":"Once","max_tokens":2}`

func TestTwoRealModelsTakeTurnsInLittleMemory(t *testing.T) {
	options := Options{ContextSize: 512, Parallel: 1, Threads: 2}
	r, l := twoCopies(t, options)
	first := r.lease(models.StarterName)
	send(t, first, "/v1/completions", completion)
	first.Release()
	pid, used := r.status(models.StarterName).PID, r.Memory().UsedBytes
	model, err := models.NewLibrary(filepath.Join(r.dir, "models")).Find("copy")
	if err != nil {
		t.Fatal(err)
	}
	need := r.Need(model).Bytes
	t.Logf("expected to take %s, and held %s", units.Bytes(need), units.Bytes(used))
	l.set(func(l *limits) { l.now.Memory = used + need/2 }) // room for one and no two

	// The second evicts the first, which is idle, and its memory is given back.
	second := r.lease("copy")
	if syscall.Kill(pid, 0) == nil || r.status(models.StarterName).PID != 0 || r.Memory().UsedBytes > used+need/2 {
		t.Errorf("both are loaded: %+v, %+v", r.States(), r.Memory())
	}

	// While the second answers, the first waits, and the stream comes to its end.
	res := send(t, second, "/v1/completions", `{"prompt":"Once","max_tokens":64,"stream":true,"ignore_eos":true}`)
	waiting := make(chan *engine.Lease, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), loading)
		defer cancel()
		lease, err := r.Acquire(ctx, models.StarterName)
		if err != nil {
			t.Error(err)
		}
		waiting <- lease
	}()
	until(t, "the first to wait", func() bool { return r.status(models.StarterName).Detail == "Waiting for memory" })
	if stream, err := io.ReadAll(res.Body); err != nil || !strings.HasSuffix(strings.TrimSpace(string(stream)), "[DONE]") {
		t.Errorf("the stream was cut: %v", err)
	}
	second.Release()
	lease := <-waiting
	if lease == nil {
		t.FailNow()
	}
	send(t, lease, "/v1/completions", completion)
	lease.Release()

	// Pinned, it stays, and the other is refused.
	l.set(func(l *limits) { l.pinned = models.StarterName })
	pid = r.status(models.StarterName).PID
	if _, err := r.Acquire(t.Context(), "copy"); !errors.Is(err, engine.ErrTooLarge) || !strings.Contains(err.Error(), "pinned ones that are loaded take") {
		t.Errorf("beside a pinned model: %v", err)
	}
	l.set(func(l *limits) { l.now.Memory, l.pinned = need/2, "" })
	if err := r.Load("copy"); !errors.Is(err, engine.ErrTooLarge) {
		t.Errorf("what cannot fit: %v", err)
	}
	if syscall.Kill(pid, 0) != nil {
		t.Error("a model went for one that could not be loaded")
	}

	// Idle for long enough, it goes, and with it its memory.
	l.set(func(l *limits) { l.now.Idle = time.Millisecond })
	until(t, "the idle model to go", func() bool { return r.status(models.StarterName).PID == 0 })
	if syscall.Kill(pid, 0) == nil || r.Memory().UsedBytes != 0 {
		t.Errorf("it holds its memory still: %+v", r.Memory())
	}
}

// Each argument that the settings let through is one that the engine takes, and a draft model speeds up answers
// that stay what they are.
func TestTheRealEngineTakesADraftAndWhatAPersonAdds(t *testing.T) {
	options := Options{ContextSize: 512, Parallel: 1, Threads: 2}
	r, _ := twoCopies(t, options)
	const body = `{"prompt":"The capital of France is","max_tokens":24,"temperature":0,"ignore_eos":true}`
	plain := r.lease("copy")
	want := text(t, send(t, plain, "/completion", strings.Replace(body, "max_tokens", "n_predict", 1)))
	plain.Release()

	draft, err := models.NewLibrary(filepath.Join(r.dir, "models")).Find(models.StarterName)
	if err != nil {
		t.Fatal(err)
	}
	options.Draft = draft.Path
	options.Arguments = []string{
		"--cache-reuse", "64", "--cache-type-k", "q8_0", "--cache-type-v", "q8_0", "--flash-attn", "on", "--gpu-layers", "0", "--load-mode", "none",
		"--spec-draft-n-max", "4", "--spec-draft-n-min", "1", "--swa-full", "--threads", "1",
	}
	with := newRig(t, func(dir string, c *engine.Config) {
		options.Draft = filepath.Join(dir, "models", models.StarterName+".gguf")
		c.Engines[models.GGUF] = New(dir, func(string) (Options, error) { return options, nil })
	})
	lease := with.lease(models.StarterName)
	defer lease.Release()
	got := text(t, send(t, lease, "/completion", strings.Replace(body, "max_tokens", "n_predict", 1)))
	if !strings.Contains(got, `"draft_n":`) || strings.Contains(got, `"draft_n":0`) {
		t.Errorf("nothing was drafted: %s", got)
	}
	if !strings.Contains(want, `"content":`) || strings.Contains(want, `"draft_n":`) {
		t.Errorf("without a draft: %s", want)
	}
}

// ownServer writes a program that takes llama-server's arguments and environment and says what it says, with the
// engine of the wheel behind it: a stand-in for the binary, which set-up does not bring.
func ownServer(t *testing.T, r *rig) string {
	t.Helper()
	runtimes, err := filepath.Glob(filepath.Join(r.dir, "runtimes", "llamacpp-*", "bin", "python"))
	if err != nil || len(runtimes) != 1 {
		t.Fatalf("the runtime is not there: %v %v", runtimes, err)
	}
	path := filepath.Join(t.TempDir(), "llama-server")
	program := "#!/bin/sh\nexec '" + runtimes[0] + "' -I -u '" + path + ".py' \"$@\"\n"
	script, err := os.ReadFile(filepath.Join("testdata", "llama-server.py"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(path, []byte(program), 0o700), os.WriteFile(path+".py", script, 0o600)); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestALlamaServerOfOnesOwn(t *testing.T) {
	options := Options{ContextSize: 512, Parallel: 2, Threads: 2, Arguments: []string{"--flash-attn", "on"}}
	r := newRig(t, func(dir string, c *engine.Config) {
		c.Engines[models.GGUF] = New(dir, func(string) (Options, error) { return options, nil })
	})
	options.Command = ownServer(t, r)
	lease := r.lease(models.StarterName)
	if res := send(t, lease, "/v1/completions", completion); res.StatusCode != 200 {
		t.Errorf("it answers %s: %s", res.Status, text(t, res))
	}
	if res := send(t, lease, "/v1/embeddings", `{"input":"a"}`); res.StatusCode != 200 {
		t.Errorf("for an embedding it answers %s: %s", res.Status, text(t, res))
	}
	if res := send(t, lease, "/metrics", "", "Origin", "http://localhost:3000"); res.StatusCode != 200 || res.Header.Get("Access-Control-Allow-Origin") != noOrigin {
		t.Errorf("whether its work goes on it answers %s, to %q", res.Status, res.Header.Get("Access-Control-Allow-Origin"))
	}
	if res := send(t, &engine.Lease{BaseURL: lease.BaseURL, APIKey: "another"}, "/v1/completions", completion); res.StatusCode != 401 {
		t.Errorf("without its key it answers %s", res.Status)
	}
	s := r.status(models.StarterName)
	if s.Slots != 2 || s.MemoryBytes < 90<<20 { // the model's own process is measured, and no shell
		t.Errorf("the status is %+v", s)
	}
	args, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.PID), "cmdline"))
	if err != nil || strings.Contains(string(args), lease.APIKey) {
		t.Errorf("the key is in the arguments: %v", err)
	}
	lease.Release()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	if err := r.Unload(ctx, models.StarterName); err != nil {
		t.Fatal(err)
	}
	if syscall.Kill(s.PID, 0) == nil {
		t.Error("it runs on")
	}
	options.Command += "-gone"
	var failed *engine.LoadError
	if _, err := r.Acquire(t.Context(), models.StarterName); !errors.As(err, &failed) || failed.Reason != "The llama-server of engines.llamacpp.command cannot be run: there is no such file." {
		t.Errorf("one that is gone gives %v", err)
	}
}

// However its parent ends, the kernel closes stdin, and a llama-server that knows nothing of that is ended.
func TestALlamaServerOfOnesOwnEndsWithItsStdin(t *testing.T) {
	r := newRig(t)
	spec, err := launchOwn(models.Model{Name: "m", Path: filepath.Join(r.dir, "models", models.StarterName+".gguf")}, Options{Command: ownServer(t, r), Parallel: 1, ContextSize: 256})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), spec.Command, spec.Args...)
	cmd.Env = spec.Env
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write(spec.Stdin); err != nil {
		t.Error(err)
	}
	lines := bufio.NewScanner(said)
	for asked := false; lines.Scan(); { // the engine below says it, too
		if base, ok := spec.Ready(lines.Bytes()); ok && !asked {
			asked = answersProps(t, base, spec)
			in.Close()
		}
	}
	var ended *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("it ended otherwise than by its guard: %v", err)
	}
}

// answersProps asks a server as the pool does.
func answersProps(t *testing.T, base string, spec engine.Spec) bool {
	t.Helper()
	res := send(t, &engine.Lease{BaseURL: base, APIKey: spec.APIKey}, spec.Health, "")
	if props := text(t, res); res.StatusCode != 200 || !strings.Contains(props, spec.Identity) {
		t.Errorf("it answers %s without its name: %s", res.Status, props)
	}
	return true
}
