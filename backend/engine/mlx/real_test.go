package mlx

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

	"github.com/shirou/gopsutil/v4/process"
	"github.com/tidwall/gjson"

	"mlxbar/backend/engine"
	"mlxbar/backend/models"
	"mlxbar/backend/testkit"
)

// loading bounds what a busy machine may need to load the model and to answer.
const loading = 4 * time.Minute

// canary is a word that no log may hold.
const canary = "zqcanary"

func asIs(string) (Options, error) { return Options{}, nil }

// client keeps no connection, so that none outlives its test.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: loading}

type rig struct {
	*engine.Pool
	t     *testing.T
	dir   string
	model string
}

// newRig makes a pool over the real engine, with a data folder of its own whose path has a space.
func newRig(t *testing.T, options ...Options) *rig {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data folder")
	if err := os.Rename(testkit.Prepared(t), dir); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, dir: dir, model: testkit.AddMLX(t, filepath.Join(dir, "models"))}
	r.Pool = engine.NewPool(engine.Config{
		Library: models.NewLibrary(filepath.Join(dir, "models")),
		Engines: map[models.Format]engine.Engine{models.MLX: New(dir, func(string) (Options, error) { return append(options, Options{})[0], nil })},
		LogDir:  filepath.Join(dir, "logs"), Logger: slog.New(slog.DiscardHandler),
		StopGrace: testkit.Patience, // whether an engine needs a signal shows on a busy machine too
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
		defer cancel()
		if err := r.Close(ctx); err != nil {
			t.Errorf("closing the pool: %v", err)
		}
	})
	return r
}

func (r *rig) acquire() *engine.Lease {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), loading)
	defer cancel()
	lease, err := r.Acquire(ctx, r.model)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(lease.Release)
	return lease
}

func (r *rig) log() string {
	r.t.Helper()
	raw, err := os.ReadFile(filepath.Join(r.dir, "logs", "engine-"+r.model+".log"))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(raw)
}

// send posts a body, or gets the path when there is none.
func send(ctx context.Context, t *testing.T, lease *engine.Lease, path, body string, header ...string) *http.Response {
	t.Helper()
	method := http.MethodPost
	if body == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, method, lease.BaseURL+path, strings.NewReader(body))
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

// ask is a chat about France, whose capital this small model knows.
const ask = `"temperature": 0, "messages": [{"role": "user", "content": "What is the capital of France? Answer with one word."}]`

// One engine answers all of these, one after the other: what is wrong with a request must not end it for the next.
func TestTheRealEngineAnswers(t *testing.T) {
	r := newRig(t, Options{ContextSize: 256})
	lease := r.acquire()
	pid := r.States()[0].PID
	for _, c := range []struct {
		name, path, body string
		header           []string
		status           int
		has, says        string // a path into the answer, and a part of what is there
	}{
		{"a chat", "/v1/chat/completions", `{"max_tokens": 8, ` + ask + `}`, nil, 200, "choices.0.message.content", "Paris"},
		{"its count of tokens, in part from the cache", "/v1/chat/completions", `{"max_tokens": 2, ` + ask + `}`, nil, 200, "usage.prompt_tokens_details.cached_tokens", ""},
		{"with members that are null", "/v1/chat/completions", `{"max_tokens": 1, "temperature": null, "stop": null, "seed": null, ` + ask[len(`"temperature": 0, `):] + `}`, nil, 200, "usage.completion_tokens", "1"},
		{"an answer that ends with the context", "/v1/chat/completions", `{"max_tokens": 4000, "ignore_eos": true, "messages": [{"role": "user", "content": "` + strings.Repeat("a ", 150) + `"}]}`, nil, 200, "usage.total_tokens", "256"},
		{"an end that is not to be", "/v1/chat/completions", `{"max_tokens": 12, "ignore_eos": true, ` + ask + `}`, nil, 200, "usage.completion_tokens", "12"},
		{"a text", "/v1/completions", `{"prompt":"Once upon a","max_tokens":3,"temperature":0}`, nil, 200, "choices.0.text", "time"},
		{"another model's name", "/v1/completions", `{"model":"someone/else","prompt":"Once","max_tokens":1}`, nil, 200, "model", r.model},
		{"another model's adapters", "/v1/completions", `{"adapters":"/etc","draft_model":"x/y","prompt":"Once","max_tokens":1}`, nil, 200, "choices.0.text", ""},
		{"more of the best than there are tokens", "/v1/completions", `{"prompt":"Once","max_tokens":1,"top_k":1000000,"temperature":1}`, nil, 200, "choices.0.text", ""},
		{"its name", "/v1/models", "", nil, 200, "data.0.id", r.model},
		{"no key", "/v1/models", "", []string{"Authorization", ""}, 401, "error.message", "key"},
		{"another key", "/v1/models", "", []string{"Authorization", "Bearer no"}, 401, "error.message", "key"},
		{"a chat without the key", "/v1/chat/completions", `{` + ask + `}`, []string{"Authorization", ""}, 401, "error.message", "key"},
		{"what it has not", "/v1/embeddings", `{"input": "hello"}`, nil, 404, "error.message", ""},
		{"no JSON", "/v1/chat/completions", `{"messages": "` + canary, nil, 400, "error.message", ""},
		{"an array", "/v1/chat/completions", `["` + canary + `"]`, nil, 400, "error.message", ""},
		{"messages that are none", "/v1/chat/completions", `{"messages": 5}`, nil, 400, "error.message", ""},
		{"no message", "/v1/chat/completions", `{"messages": []}`, nil, 400, "error.param", "messages"},
		{"a role that the template does not know", "/v1/chat/completions", `{"max_tokens": 1, "messages": [{"content": "` + canary + `"}]}`, nil, 400, "error.param", "messages"},
		{"a wrong temperature", "/v1/chat/completions", `{"temperature": "` + canary + `", "messages": [{"role": "user", "content": "hi"}]}`, nil, 400, "error.param", "temperature"},
		{"a wrong stop", "/v1/completions", `{"prompt": "Once", "stop": [5]}`, nil, 400, "error.param", "stop"},
		{"a token that is none", "/v1/completions", `{"prompt": "Once", "logit_bias": {"99999999": 5}}`, nil, 400, "error.param", "logit_bias"},
		{"an empty prompt", "/v1/completions", `{"prompt": ""}`, nil, 400, "error.param", "prompt"},
		{"a prompt of numbers", "/v1/completions", `{"prompt": [1, 2]}`, nil, 400, "error.param", "prompt"},
		{"a picture from elsewhere", "/v1/chat/completions", `{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://127.0.0.1:9/` + canary + `"}}]}]}`, nil, 400, "error.message", "not fetched"},
		{"a prompt that is too long", "/v1/completions", `{"prompt": "` + strings.Repeat(canary+" ", 200) + `"}`, nil, 400, "error.type", "exceed_context_size_error"},
		{"a path that says something", "/v1/" + canary, `{}`, nil, 404, "error.message", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := send(t.Context(), t, lease, c.path, c.body, c.header...)
			answer := text(t, res)
			if got := gjson.Get(answer, c.has); res.StatusCode != c.status || !got.Exists() || !strings.Contains(got.String(), c.says) {
				t.Errorf("status %d, want %d with %s %q: %.300s", res.StatusCode, c.status, c.has, c.says, answer)
			}
		})
	}
	if now := r.States()[0]; now.PID != pid || now.State != engine.Ready {
		t.Errorf("the engine did not live through them: %+v", now)
	}
	lease.Release()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	if err := r.Unload(ctx, r.model); err != nil { // by then all that it said is in the log
		t.Fatal(err)
	}
	if log := r.log(); strings.Contains(log, canary) || strings.Contains(log, lease.APIKey) || !strings.Contains(log, "engine: a prompt could not be made: ") {
		t.Errorf("the log holds a prompt or a key, or lacks what failed:\n%s", log)
	}
}

// No page in a browser may read what the engine answers.
func TestTheRealEngineAnswersNoOriginAndStreams(t *testing.T) {
	r := newRig(t)
	lease := r.acquire()
	for _, origin := range []string{"http://evil.example", "http://localhost:3000", "null"} {
		res := send(t.Context(), t, lease, "/v1/models", "", "Origin", origin)
		text(t, res)
		for name := range res.Header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("the origin %s is answered with %s", origin, name)
			}
		}
	}
	stream := text(t, send(t.Context(), t, lease, "/v1/chat/completions", `{"stream": true, "stream_options": {"include_usage": true}, "max_tokens": 3, `+ask+`}`))
	events := strings.Split(strings.TrimSpace(stream), "\n\n")
	usage := events[max(0, len(events)-2)]
	if events[len(events)-1] != "data: [DONE]" || gjson.Get(strings.TrimPrefix(usage, "data: "), "usage.total_tokens").Int() < 4 || !strings.Contains(stream, " capital") {
		t.Errorf("the stream is %s", stream)
	}
	if stream := text(t, send(t.Context(), t, lease, "/v1/completions", `{"stream": true, "stream_options": {"later": 1}, "max_tokens": 1, "prompt": "Once"}`)); !strings.HasSuffix(stream, "data: [DONE]\n\n") || strings.Contains(stream, `"usage"`) {
		t.Errorf("without usage the stream is %s", stream)
	}
}

// A client that leaves is noticed also where the answer comes in one piece: the next one's does not wait for the rest.
func TestAClientThatLeavesFreesTheRealEngine(t *testing.T) {
	r := newRig(t)
	lease := r.acquire()
	pid := r.States()[0].PID
	// With a seed mlx-lm answers one request at a time, so that whoever comes next waits for the whole of this one.
	long := `"seed": 1, "max_tokens": 8000, "logit_bias": {"2": -100}, "messages": [{"role": "user", "content": "Tell a long story"}]}`
	for _, begin := range []string{`{"stream": true, `, `{`} {
		ctx, leave := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, lease.BaseURL+"/v1/chat/completions", strings.NewReader(begin+long))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+lease.APIKey)
		ended := make(chan error, 1)
		go func() {
			res, err := client.Do(req)
			if err == nil {
				_, err = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
			ended <- err
		}()
		before := cpu(t, pid)
		for end := time.Now().Add(testkit.Patience); cpu(t, pid) < before+1; time.Sleep(10 * time.Millisecond) { // a second of work
			if time.Now().After(end) {
				t.Fatal("the engine does not work at it")
			}
		}
		leave()
		if err := testkit.Receive(t, ended); !errors.Is(err, context.Canceled) {
			t.Fatalf("it ended before it was left: %v", err)
		}
		// 8000 tokens take minutes; an answer to the next one means that they are not made.
		if res := send(t.Context(), t, lease, "/v1/completions", `{"prompt": "Once", "max_tokens": 1, "seed": 1}`); res.StatusCode != 200 {
			t.Errorf("the next request gets %d", res.StatusCode)
		}
		if log := r.log(); strings.Contains(log, "ended") {
			t.Errorf("the engine ended:\n%s", log)
		}
	}
}

// cpu is how long a process has worked, in seconds.
func cpu(t *testing.T, pid int) float64 {
	t.Helper()
	times, err := (&process.Process{Pid: int32(pid)}).Times()
	if err != nil {
		t.Fatal(err)
	}
	return times.User + times.System
}

func TestKillingTheRealEngineInMidStream(t *testing.T) {
	r := newRig(t)
	lease := r.acquire()
	res := send(t.Context(), t, lease, "/v1/chat/completions", `{"stream": true, "ignore_eos": true, "max_tokens": 400, "messages": [{"role": "user", "content": "Tell a long story"}]}`)
	stream := bufio.NewReader(res.Body)
	if _, err := stream.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	pid := r.States()[0].PID
	if pid == 0 { // which would be this test and all that is with it
		t.Fatalf("there is no engine: %+v", r.States())
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if !lease.Stopped(testkit.Patience) {
		t.Fatal("Gone was not closed")
	}
	if rest, _ := io.ReadAll(stream); strings.Contains(string(rest), "[DONE]") {
		t.Error("the stream ended as if it were whole")
	}
	lease.Release()
	next := r.acquire()
	if res := send(t.Context(), t, next, "/v1/completions", `{"prompt":"Once","max_tokens":1}`); res.StatusCode != 200 {
		t.Errorf("the next request gets %d", res.StatusCode)
	}
	if r.States()[0].PID == pid {
		t.Error("the pid is that of the child that was killed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	if err := r.Unload(ctx, r.model); err != nil {
		t.Fatal(err)
	}
	if log := r.log(); !strings.Contains(log, "ended: exit status 0") { // it needed no signal
		t.Errorf("the log says:\n%s", log)
	}
}

// What only mlx-lm sees becomes a sentence, without a path.
func TestWhatTheRealEngineCannotLoadIsExplained(t *testing.T) {
	r := newRig(t)
	for name, c := range map[string]struct{ config, want string }{
		"unknown":   {`{"model_type": "nothingknown", "architectures": ["NothingForCausalLM"]}`, "This version of mlx-lm does not know the model's architecture."},
		"with-code": {`{"model_type": "llama", "model_file": "evil.py"}`, "The model needs program code that it brings along, and mlxbar runs none of a model's."},
	} {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join(r.dir, "models", name)
			if err := os.MkdirAll(folder, 0o700); err != nil {
				t.Fatal(err)
			}
			weights, err := filepath.EvalSymlinks(filepath.Join(r.dir, "models", r.model, "model.safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			evil := "open('" + filepath.Join(r.dir, "was-here") + "', 'w')\n"
			err = errors.Join(os.Symlink(weights, filepath.Join(folder, "model.safetensors")),
				os.WriteFile(filepath.Join(folder, "config.json"), []byte(c.config), 0o600), os.WriteFile(filepath.Join(folder, "evil.py"), []byte(evil), 0o600))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), loading)
			defer cancel()
			_, err = r.Acquire(ctx, name)
			var failed *engine.LoadError
			if !errors.As(err, &failed) || failed.Reason != c.want {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if _, err := os.Stat(filepath.Join(r.dir, "was-here")); err == nil {
				t.Error("program code of the model was run")
			}
		})
	}
}

// A parent that is gone is seen at once, also while the engine loads.
func TestTheRealEngineEndsWithItsStdinWhileItLoads(t *testing.T) {
	r := newRig(t)
	spec, err := New(r.dir, asIs).Launch(models.Model{Name: "m", Path: filepath.Join(r.dir, "models", r.model)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, spec.Command, spec.Args...)
	cmd.Env, cmd.Stdin = spec.Env, bytes.NewReader(spec.Stdin) // which ends after the key
	if out, err := cmd.Output(); ctx.Err() != nil {
		t.Errorf("it did not end: %v: %s", err, out)
	}
}

func TestEachLaunchHasItsKey(t *testing.T) {
	r := newRig(t)
	e := New(r.dir, asIs)
	if err := e.Prepare(t.Context(), nil); err != nil || e.Name() != Name {
		t.Fatal(e.Name(), err)
	}
	model := models.Model{Name: "m", Path: "/m"}
	first, err := e.Launch(model)
	if err != nil {
		t.Fatal(err)
	}
	second, err := e.Launch(model)
	if err != nil {
		t.Fatal(err)
	}
	if len(first.APIKey) < 20 || first.APIKey == second.APIKey || string(second.Stdin) != second.APIKey+"\n"+second.Identity+"\n" || len(second.Identity) < 20 {
		t.Error("the keys are not random, or not what stdin tells")
	}
	if strings.Contains(strings.Join(append(first.Args, first.Env...), " "), first.APIKey) {
		t.Error("the key is in the arguments or the environment")
	}
	if _, err := New(t.TempDir(), asIs).Launch(model); err == nil {
		t.Error("a child is launched without an environment")
	}
}

// What is set bounds prompt and answer together, as far as the model goes.
func TestTheContextIsTheOneThatIsSet(t *testing.T) {
	r := newRig(t)
	for wanted, want := range map[int]string{0: "8192", 512: "512", 1 << 20: "8192"} {
		spec, err := New(r.dir, func(string) (Options, error) { return Options{ContextSize: wanted}, nil }).Launch(models.Model{Name: "m", Path: "/m", Facts: models.Facts{ContextLength: 8192}})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(spec.Args, " "); !strings.Contains(got, "--context "+want+" ") {
			t.Errorf("%d gives %s", wanted, got)
		}
	}
}

// What is kept of prompts that were read before is as much as the estimate of its memory counts: the cache of one context.
func TestSlotsAndWhatIsKeptAreBounded(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		options Options
		facts   models.Facts
		slots   int
		want    string
	}{
		{Options{}, models.Facts{ContextLength: 8192, CacheBytes: 1000}, 8, "--parallel 8 --kept 8448000"},
		{Options{ContextSize: 500, Parallel: 2}, models.Facts{ContextLength: 8192, CacheBytes: 1000}, 2, "--parallel 2 --kept 768000"},
		{Options{Parallel: 64}, models.Facts{}, 64, "--parallel 64 --kept 268435456"}, // of which nothing is known
	} {
		spec, err := New(r.dir, func(string) (Options, error) { return c.options, nil }).Launch(models.Model{Name: "m", Path: "/m", Facts: c.facts})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(spec.Args, " "); !strings.HasSuffix(got, c.want) || spec.Slots != c.slots {
			t.Errorf("%+v gives %d slots and %s", c.options, spec.Slots, got)
		}
	}
}

// Off, nothing is installed, and who asks for a model reads how to switch it on.
func TestAnEngineThatIsOffSaysSo(t *testing.T) {
	dir := t.TempDir()
	err := New(dir, func(string) (Options, error) { return Options{Off: true}, nil }).Prepare(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "engines.mlx.enabled") {
		t.Errorf("it says %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("it made %v, %v", entries, err)
	}
}
