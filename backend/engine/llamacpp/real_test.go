package llamacpp

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"mlxbar/backend/engine"
	"mlxbar/backend/models"
	"mlxbar/backend/testkit"
)

// loading bounds what a busy machine may need to load the model and to answer.
const loading = 3 * time.Minute

// canary is a word that no log may hold.
const canary = "zqcanary"

// client keeps no connection, so that none outlives its test.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: loading}

type rig struct {
	*engine.Pool
	t   *testing.T
	dir string
}

// newRig makes a pool over the real engine, with a data folder of its own whose path
// has a space.
func newRig(t *testing.T, change ...func(dir string, c *engine.Config)) *rig {
	t.Helper()
	dir := dataFolder(t)
	return rigIn(t, dir, func(cfg *engine.Config) {
		for _, c := range change {
			c(dir, cfg)
		}
	})
}

func dataFolder(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data folder")
	if err := os.Rename(testkit.Prepared(t), dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// config is that of a pool in a data folder.
func config(dir string, options Options) engine.Config {
	return engine.Config{
		Library: models.NewLibrary(filepath.Join(dir, "models")),
		Engines: map[models.Format]engine.Engine{models.GGUF: New(dir, func(string) (Options, error) { return options, nil })},
		LogDir:  filepath.Join(dir, "logs"), RunDir: filepath.Join(dir, "run", "engines"), Logger: slog.New(slog.DiscardHandler),
		StopGrace: testkit.Patience, // whether an engine needs a signal shows on a busy machine too
	}
}

func rigIn(t *testing.T, dir string, change func(*engine.Config)) *rig {
	t.Helper()
	cfg := config(dir, Options{ContextSize: 512, Parallel: 2, Threads: 2})
	change(&cfg)
	pool := engine.NewPool(cfg)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
		defer cancel()
		if err := pool.Close(ctx); err != nil {
			t.Errorf("closing the pool: %v", err)
		}
	})
	return &rig{pool, t, dir}
}

func (r *rig) acquire() *engine.Lease {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), loading)
	defer cancel()
	lease, err := r.Acquire(ctx, models.StarterName)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(lease.Release)
	return lease
}

// pid is that of the starter's engine. 0, which stands for none, would be this test and all that is with it to who signals.
func (r *rig) pid() int {
	r.t.Helper()
	s := r.status(models.StarterName)
	if s.PID == 0 {
		r.t.Fatalf("there is no engine: %+v", s)
	}
	return s.PID
}

// send posts a body, or gets the path when there is none.
func send(t *testing.T, lease *engine.Lease, path, body string, header ...string) *http.Response {
	t.Helper()
	method := http.MethodPost
	if body == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(t.Context(), method, lease.BaseURL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+lease.APIKey)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

func text(t *testing.T, res *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestTheRealEngineAnswers(t *testing.T) {
	lease := newRig(t).acquire()
	chat := `{"messages":[{"role":"user","content":"Say hello"}],"max_tokens":8,"seed":1}`
	for name, c := range map[string]struct {
		path, body string
		header     []string
		status     int
		has        string // a path into the answer
	}{
		"a chat":                   {"/v1/chat/completions", chat, nil, 200, "choices.0.message.content"},
		"its count of tokens":      {"/v1/chat/completions", chat, nil, 200, "usage.completion_tokens"},
		"a text":                   {"/v1/completions", `{"prompt":"Once","max_tokens":4}`, nil, 200, "choices.0.text"},
		"an embedding":             {"/v1/embeddings", `{"input":"hello"}`, nil, 200, "data.0.embedding.575"},
		"its name":                 {"/v1/models", "", nil, 200, `data.#(id=="` + models.StarterName + `").id`},
		"health without its key":   {"/v1/models", "", []string{"Authorization", ""}, 401, "error.message"},
		"health with another key":  {"/v1/models", "", []string{"Authorization", "Bearer no"}, 401, "error.message"},
		"a chat without its key":   {"/v1/chat/completions", chat, []string{"Authorization", ""}, 401, "error.message"},
		"a question that is wrong": {"/v1/chat/completions", `{"messages":5}`, nil, 400, "error.message"},
	} {
		t.Run(name, func(t *testing.T) {
			res := send(t, lease, c.path, c.body, c.header...)
			answer := text(t, res)
			if res.StatusCode != c.status || !gjson.Get(answer, c.has).Exists() || gjson.Get(answer, c.has).String() == "" {
				t.Errorf("status %d, want %d with %s: %.300s", res.StatusCode, c.status, c.has, answer)
			}
		})
	}
}

// No page in a browser may read what the engine answers.
func TestTheRealEngineAnswersNoOrigin(t *testing.T) {
	lease := newRig(t).acquire()
	for _, origin := range []string{"http://evil.example", "http://localhost:3000", "null", "http://127.0.0.1:10242"} {
		for _, key := range []string{"", "Bearer " + lease.APIKey} {
			res := send(t, lease, "/v1/models", "", "Origin", origin, "Authorization", key)
			text(t, res)
			if allowed := res.Header.Get("Access-Control-Allow-Origin"); allowed == "*" || allowed == origin {
				t.Errorf("the origin %s is answered with %q", origin, allowed)
			}
			if res.Header.Get("Access-Control-Allow-Credentials") == "true" {
				t.Errorf("the origin %s may send credentials", origin)
			}
		}
	}
}

func TestNoWordOfAPromptIsInTheRealEnginesLog(t *testing.T) {
	r := newRig(t)
	lease := r.acquire()
	for path, bodies := range map[string][]string{
		"/v1/chat/completions": {
			`{"max_tokens":4,"messages":[{"role":"user","content":"` + canary + `"}]}`,
			`{"max_tokens":4,"stream":true,"messages":[{"role":"user","content":"` + canary + `"}]}`,
			`{"messages": "` + canary + "\n" + canary + " in a second line",
			canary, "\xff" + canary,
			`{"messages":[{"role":"` + canary + `","content":5}]}`,
			`{"messages":[{"role":"user","content":"hi"}],"grammar":"root ::= ` + canary + ` (\n` + canary + `"}`,
			`{"messages":[{"role":"user","content":"hi"}],"response_format":{"type":"` + canary + `"}}`,
			`{"messages":[{"role":"user","content":"hi"}],"response_format":{"type":"json_schema","json_schema":{"schema":{"type":"` + canary + `"}}}}`,
			`{"messages":[{"role":"user","content":"` + strings.Repeat(canary+" ", 600) + `"}]}`,
		},
		"/v1/completions": {`{"max_tokens":4,"prompt":"` + canary + `"}`, `{"prompt":{"` + canary + `":1}}`},
		"/v1/embeddings":  {`{"input":"` + canary + `"}`, `{"input":{"` + canary + `":1}}`},
		"/v1/" + canary:   {"{}"},
	} {
		for _, body := range bodies {
			text(t, send(t, lease, path, body))
		}
	}
	text(t, send(t, lease, "/v1/models", "", "Authorization", "Bearer "+canary))
	// llama.cpp writes from a thread of its own.
	path := filepath.Join(r.dir, "logs", "engine-"+models.StarterName+".log")
	for _, want := range []string{"load_model: loading model", "prompt eval time", "exceeds the available context size"} {
		waitFor(t, path, want)
	}
	lease.Release()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	if err := r.Unload(ctx, models.StarterName); err != nil {
		t.Fatal(err)
	}
	log := waitFor(t, path, "ended: exit status 0") // it needed no signal
	for _, never := range []string{canary, lease.APIKey, "unauthorized"} {
		if strings.Contains(log, never) {
			t.Errorf("the log holds a prompt, a key or a word of a probe (%q):\n%s", never, log)
		}
	}
}

// waitFor reads a log until it has a line.
func waitFor(t *testing.T, path, line string) string {
	t.Helper()
	for end := time.Now().Add(testkit.Patience); ; time.Sleep(5 * time.Millisecond) {
		log, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(log), line) {
			return string(log)
		}
		if time.Now().After(end) {
			t.Fatalf("the log lacks %q, %v:\n%s", line, err, log)
		}
	}
}

func TestKillingTheRealEngineInMidStream(t *testing.T) {
	r := newRig(t)
	lease := r.acquire()
	body := `{"stream":true,"ignore_eos":true,"max_tokens":400,"messages":[{"role":"user","content":"Tell a long story"}]}`
	res := send(t, lease, "/v1/chat/completions", body)
	stream := bufio.NewReader(res.Body)
	if first, err := stream.ReadString('\n'); err != nil || !strings.HasPrefix(first, "data: ") {
		t.Fatalf("the stream begins with %q, %v", first, err)
	}
	pid := r.pid()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if !lease.Stopped(testkit.Patience) {
		t.Fatal("Gone was not closed")
	}
	if rest, err := io.ReadAll(stream); err == nil || strings.Contains(string(rest), "[DONE]") {
		t.Error("the stream ended as if it were whole")
	}
	lease.Release()
	next := r.acquire()
	if res := send(t, next, "/v1/completions", `{"prompt":"Once","max_tokens":2}`); res.StatusCode != 200 {
		t.Errorf("the next request gets %d", res.StatusCode)
	}
	if r.States()[0].PID == pid {
		t.Error("the pid is that of the child that was killed")
	}
}

// damaged puts a changed copy of the starter model into the rig's folder.
func (r *rig) damaged(name string, change func([]byte) []byte) {
	r.t.Helper()
	folder := filepath.Join(r.dir, "models")
	whole, err := os.ReadFile(filepath.Join(folder, models.StarterName+".gguf"))
	if err != nil {
		r.t.Fatal(err)
	}
	path := filepath.Join(folder, name+".gguf")
	if err := os.WriteFile(path, change(whole), 0o600); err != nil {
		r.t.Fatal(err)
	}
	before := time.Now().Add(-time.Hour) // a file of just now counts as still being written
	if err := os.Chtimes(path, before, before); err != nil {
		r.t.Fatal(err)
	}
}

func TestEveryWaiterLearnsWhyABrokenFileIsNotLoaded(t *testing.T) {
	r := newRig(t)
	r.damaged("cut", func(b []byte) []byte { return b[:len(b)/2] })
	r.damaged("cut-in-header", func(b []byte) []byte { return b[:5000] })
	r.damaged("page", func([]byte) []byte { return []byte("<!doctype html>") })
	// What only llama.cpp sees: an architecture of another name, as long as the real one.
	r.damaged("unknown", func(b []byte) []byte {
		return []byte(strings.Replace(string(b[:1<<20]), "general.architecture\x08\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00llama",
			"general.architecture\x08\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00camel", 1) + string(b[1<<20:]))
	})
	for name, want := range map[string]string{
		"cut":           "The model's file cannot be used: it is cut off: ",
		"cut-in-header": "The model's file cannot be used: it is cut off.",
		"page":          "The model's file cannot be used: it is not a GGUF file.",
		"unknown":       "This version of llama.cpp does not know the model's architecture.",
	} {
		t.Run(name, func(t *testing.T) {
			const waiters = 4
			results := make(chan error, waiters)
			for range waiters {
				go func() {
					ctx, cancel := context.WithTimeout(t.Context(), loading)
					defer cancel()
					_, err := r.Acquire(ctx, name)
					results <- err
				}()
			}
			for range waiters {
				var failed *engine.LoadError
				if err := testkit.Receive(t, results); !errors.As(err, &failed) || !strings.HasPrefix(failed.Reason, want) {
					t.Errorf("a waiter got %v, want %q", err, want)
				} else if strings.Contains(failed.Reason, r.dir) {
					t.Errorf("the reason holds a path: %s", failed.Reason)
				}
			}
		})
	}
}

// What is cut off after the library has looked is seen by llama.cpp.
func TestAFileThatIsCutMeanwhileIsExplained(t *testing.T) {
	r := newRig(t)
	path := filepath.Join(r.dir, "models", "cut.gguf")
	r.damaged("cut", func(b []byte) []byte { return b })
	spec, err := New(r.dir, func(string) (Options, error) { return Options{}, nil }).Launch(models.Model{Name: "cut", Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 50<<20); err != nil {
		t.Fatal(err)
	}
	said := run(t, spec)
	if got := spec.Explain(said); got != "The model's file is damaged: a part of it is missing." {
		t.Errorf("it is explained by %q: %s", got, strings.Join(said, "\n"))
	}
}

// run runs a child that fails by itself, and gives what it said on stderr.
func run(t *testing.T, spec engine.Spec) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), loading)
	defer cancel()
	cmd := exec.CommandContext(ctx, spec.Command, spec.Args...)
	cmd.Env = spec.Env
	in, err := cmd.StdinPipe() // stays open: its end would be the child's
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write(spec.Stdin); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err == nil || ctx.Err() != nil {
		t.Errorf("the child did not fail by itself: %v", err)
	}
	return strings.Split(said.String(), "\n")
}

// Loading holds Python's lock, and yet a parent that is gone is seen at once.
func TestTheRealEngineEndsWithItsStdinWhileItLoads(t *testing.T) {
	r := newRig(t)
	spec, err := New(r.dir, func(string) (Options, error) { return Options{}, nil }).Launch(models.Model{
		Name: "m", Path: filepath.Join(r.dir, "models", models.StarterName+".gguf"),
	})
	if err != nil {
		t.Fatal(err)
	}
	endsWithStdin(t, spec)
}

// endsWithStdin starts a child whose stdin ends after the key, and wants it to end by itself.
func endsWithStdin(t *testing.T, spec engine.Spec) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, spec.Command, spec.Args...)
	cmd.Env, cmd.Stdin = spec.Env, bytes.NewReader(spec.Stdin) // which ends after the key
	if out, err := cmd.Output(); ctx.Err() != nil {
		t.Errorf("it did not end: %v: %s", err, out)
	}
}

func TestEachLaunchHasItsKeyAndItsScript(t *testing.T) {
	r := newRig(t)
	e := New(r.dir, func(string) (Options, error) { return Options{}, nil })
	if e.Name() != Name {
		t.Errorf("it is called %s", e.Name())
	}
	if err := e.Prepare(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	model := models.Model{Name: "m", Path: "/m.gguf"}
	first, err := e.Launch(model)
	if err != nil {
		t.Fatal(err)
	}
	written := filepath.Join(r.dir, "run", scriptName)
	if err := os.WriteFile(written, []byte("print('another version')"), 0o600); err != nil {
		t.Fatal(err)
	}
	second, err := e.Launch(model)
	if err != nil {
		t.Fatal(err)
	}
	if len(first.APIKey) < 20 || first.APIKey == second.APIKey || string(second.Stdin) != second.APIKey+"\n"+second.Identity+"\n" || first.Identity == second.Identity {
		t.Error("the keys are not random, or not what stdin tells")
	}
	if strings.Contains(strings.Join(append(first.Args, first.Env...), " "), first.APIKey) {
		t.Error("the key is in the arguments or the environment")
	}
	if now, err := os.ReadFile(written); err != nil || string(now) != string(program) {
		t.Errorf("the script is that of another version: %v", err)
	}
	if _, err := New(t.TempDir(), func(string) (Options, error) { return Options{}, nil }).Launch(model); err == nil {
		t.Error("a child is launched without an environment")
	}
}
