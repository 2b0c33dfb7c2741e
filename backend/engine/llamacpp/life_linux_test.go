package llamacpp

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"mlxbar/backend/engine"
	"mlxbar/backend/models"
	"mlxbar/backend/testkit"
	"mlxbar/backend/units"
)

// probing is how often these tests have an engine asked; the patience with an answer is ten times that.
const probing = 300 * time.Millisecond

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(loading); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func (r *rig) logged() string {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, "logs", "engine-"+models.StarterName+".log"))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

// answers holds that the engine of a lease makes tokens.
func answers(t *testing.T, lease *engine.Lease) {
	t.Helper()
	res := send(t, lease, "/v1/completions", `{"prompt":"Once","max_tokens":2}`)
	if body := text(t, res); res.StatusCode != http.StatusOK || gjson.Get(body, "usage.completion_tokens").Int() == 0 {
		t.Errorf("status %d: %.200s", res.StatusCode, body)
	}
}

// Reading a prompt of megabytes takes memory that the next one is read in, whichever thread reads that.
func TestLargePromptsLeaveLittleBehind(t *testing.T) {
	r := newRig(t)
	lease := r.acquire()
	large := `{"max_tokens":1,"prompt":"` + strings.Repeat("hello there, ", 2<<20/13) + `"}`
	var held []int64
	for range 8 { // a connection each
		if res := send(t, lease, "/v1/completions", large); res.StatusCode != http.StatusBadRequest {
			t.Fatalf("a prompt larger than the context: status %d", res.StatusCode)
		}
		held = append(held, int64(r.status(models.StarterName).MemoryBytes))
	}
	if grown := held[7] - held[0]; grown > 120<<20 {
		t.Errorf("seven more of them left %s", units.Bytes(grown))
	}
}

// A probe takes the one place there is, and what was in it is there again for the next request of its conversation.
func TestAProbeCostsAConversationNothing(t *testing.T) {
	dir := dataFolder(t)
	cfg := config(dir, Options{ContextSize: 1024, Parallel: 1, Threads: 2})
	r := rigIn(t, dir, func(c *engine.Config) { c.Engines, c.ProbeEvery = cfg.Engines, 4*probing }) // with time for a token on a busy machine
	lease := r.acquire()
	pid := r.pid()
	chat := `{"max_tokens":2,"messages":[{"role":"user","content":"` + strings.Repeat("Say something about the sea. ", 60) + `"}]}`
	ask := func() (prompt, cached int64) {
		body := text(t, send(t, lease, "/v1/chat/completions", chat))
		lease.Beat()
		usage := gjson.Get(body, "usage")
		return usage.Get("prompt_tokens").Int(), usage.Get("prompt_tokens_details.cached_tokens").Int()
	}
	if prompt, cached := ask(); prompt < 300 || cached > prompt/2 {
		t.Fatalf("the first prompt has %d tokens, %d of them reused", prompt, cached)
	}
	for range 2 {
		before := strings.Count(r.logged(), "prompt eval time")
		lease.Release()
		eventually(t, "some probes", func() bool { return strings.Count(r.logged(), "prompt eval time") >= before+3 })
		lease = r.acquire()
		if prompt, cached := ask(); cached < prompt-8 {
			t.Errorf("%d of %d tokens were reused after probes", cached, prompt)
		}
	}
	if now := r.States()[0].PID; now != pid {
		t.Error("a good engine was ended")
	}
}

func TestTheRealEngineIsReplacedWhenItIsStopped(t *testing.T) {
	for name, busy := range map[string]bool{"idle": false, "in mid-stream": true} {
		t.Run(name, func(t *testing.T) {
			r := rigIn(t, dataFolder(t), func(c *engine.Config) { c.ProbeEvery = probing })
			lease := r.acquire()
			if busy {
				stream(t, lease, 1500)
			} else {
				lease.Release()
			}
			pid := r.pid()
			if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			eventually(t, "another engine", func() bool {
				s := r.States()[0]
				return s.State == engine.Ready && s.PID != pid
			})
			answers(t, r.acquire())
			if !strings.Contains(r.logged(), "does not answer any more") {
				t.Error("its log does not say why it was ended")
			}
		})
	}
}

// A model that makes its engine crash, or that the system ends for want of memory, is not started again without end.
func TestTheRealEngineIsLeftAloneAfterFiveDeaths(t *testing.T) {
	r := newRig(t)
	for range 5 {
		lease := r.acquire()
		stream(t, lease, 1500)
		if err := syscall.Kill(r.pid(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-lease.Gone
		lease.Release()
	}
	eventually(t, "the word failed", func() bool { return r.States()[0].State == engine.Failed })
	s := r.States()[0]
	if !strings.Contains(s.Detail, "ended 5 times within 10 minutes") || !slices.Equal(s.Log, lastLines(r.logged(), 4)) {
		t.Errorf("the status is %+v, and the log ends:\n%s", s, strings.Join(lastLines(r.logged(), 6), "\n"))
	}
	var failure *engine.LoadError
	if _, err := r.Acquire(t.Context(), models.StarterName); !errors.As(err, &failure) || !slices.Equal(failure.Tail, s.Log) {
		t.Errorf("who asks is told %v", err)
	}
	if err := r.Load(models.StarterName); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a load by hand", func() bool { return r.States()[0].State == engine.Ready })
	answers(t, r.acquire())
}

// lastLines are the last n that an engine itself wrote to its log, as a person is shown them. Which they are, nobody
// can say beforehand: a thread of llama.cpp writes them, to two pipes, and SIGKILL does not wait for it.
func lastLines(log string, n int) []string {
	var lines []string
	for line := range strings.Lines(log) {
		if !strings.HasPrefix(line, "---") {
			line = strings.Join(strings.Fields(modelPath.ReplaceAllString(line, "$1")), " ")
			lines = append(lines, line)
		}
	}
	return lines[max(0, len(lines)-n):]
}

// modelPath is the one path that llama.cpp tells of as it loads; its folder is nobody's business.
var modelPath = regexp.MustCompile(`'/.*/([^/']+)'`)

// stream begins one that goes on for so many tokens, and gives what is left of it.
func stream(t *testing.T, lease *engine.Lease, tokens int) *bufio.Reader {
	t.Helper()
	res := send(t, lease, "/v1/completions", fmt.Sprintf(`{"stream":true,"ignore_eos":true,"max_tokens":%d,"prompt":"A long story"}`, tokens))
	lines := bufio.NewReader(res.Body)
	if first, err := lines.ReadString('\n'); err != nil || !strings.HasPrefix(first, "data: ") {
		t.Fatalf("the stream begins with %q, %v", first, err)
	}
	return lines
}

// What another engine of the same kind says is not taken for this one's.
func TestTheRealEngineIsKnownByItsOwnName(t *testing.T) {
	r := newRig(t)
	lease := r.acquire()
	list := text(t, send(t, lease, "/v1/models", ""))
	other := rigIn(t, dataFolder(t), func(*engine.Config) {}).acquire()
	if text(t, send(t, other, "/v1/models", "")) == list {
		t.Error("two engines of one model tell the same of themselves")
	}
	if res := send(t, other, "/v1/models", "", "Authorization", "Bearer "+lease.APIKey); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("one engine takes the other's key: %d", res.StatusCode)
	}
	chat := text(t, send(t, lease, "/v1/chat/completions", `{"messages":[{"role":"user","content":"Hi"}],"max_tokens":1}`))
	if got := gjson.Get(chat, "model").String(); got != models.StarterName {
		t.Errorf("it calls its model %q", got)
	}
}

func TestALogThatCannotBeWrittenStopsNothing(t *testing.T) {
	dir := dataFolder(t)
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", filepath.Join(dir, "logs", "engine-"+models.StarterName+".log")); err != nil {
		t.Fatal(err)
	}
	r := rigIn(t, dir, func(c *engine.Config) { c.ProbeEvery = probing })
	lease := r.acquire()
	for range 3 {
		answers(t, lease)
	}
	if s := r.States()[0]; s.State != engine.Ready {
		t.Errorf("the engine is %s: %s", s.State, s.Detail)
	}
}

func TestAModelWhoseFileIsRemovedServesUntilItIsUnloaded(t *testing.T) {
	r := newRig(t)
	path := filepath.Join(r.dir, "models", "fleeting.gguf")
	r.damaged("fleeting", func(b []byte) []byte { return b }) // a whole copy
	acquire := func() (*engine.Lease, error) {
		ctx, cancel := context.WithTimeout(t.Context(), loading)
		defer cancel()
		return r.Acquire(ctx, "fleeting")
	}
	lease, err := acquire()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	answers(t, lease)
	lease.Release()
	if lease, err = acquire(); err != nil {
		t.Fatalf("it is not leased again: %v", err)
	}
	answers(t, lease)
	lease.Release()
	if list, err := models.NewLibrary(filepath.Join(r.dir, "models")).List(); err != nil || len(list) != 1 {
		t.Errorf("the library has %d models, %v; want the starter alone", len(list), err)
	}
	if err := r.Unload(t.Context(), "fleeting"); err != nil && !errors.Is(err, engine.ErrUnknownModel) {
		t.Fatal(err)
	}
	if _, err := acquire(); !errors.Is(err, engine.ErrUnknownModel) {
		t.Errorf("after that the error is %v", err)
	}
}

// server starts this test binary as a server on a data folder.
func server(t *testing.T, dir string) (*exec.Cmd, told, *testkit.Output) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverVariable+"="+dir)
	log := &testkit.Output{}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	var engine told
	if err := json.NewDecoder(out).Decode(&engine); err != nil {
		t.Fatalf("the server said nothing: %v\n%s", err, log)
	}
	return cmd, engine, log
}

// runs says whether a process is there, and more than an entry that its parent has not yet read.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// keepStdin opens the server's end of its engine's stdin, so that it stays open without the server.
func keepStdin(t *testing.T, server, engine int) {
	t.Helper()
	pipe, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/0", engine))
	if err != nil {
		t.Fatal(err)
	}
	ends, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", server))
	if err != nil {
		t.Fatal(err)
	}
	for _, end := range ends {
		if is, err := os.Readlink(end); err != nil || is != pipe {
			continue
		}
		f, err := os.OpenFile(end, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return
	}
	t.Fatal("the server has no end of its engine's stdin")
}

// An engine whose stdin somebody else has, too, does not see that its server was killed. The next server finds it.
func TestAKilledServersLeftoverEngineIsEndedByTheNext(t *testing.T) {
	dir := dataFolder(t)
	cmd, left, _ := server(t, dir)
	keepStdin(t, cmd.Process.Pid, left.PID)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // says that it was killed
	answers(t, engine.NewLease(Name, left.BaseURL, left.Key, nil, func() {}))
	rigIn(t, dir, func(*engine.Config) {})
	eventually(t, "its end", func() bool { return !runs(left.PID) })
}

// One that is not stopped needs nobody.
func TestAKilledServersEngineEndsByItself(t *testing.T) {
	cmd, left, _ := server(t, dataFolder(t))
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // says that it was killed
	eventually(t, "its end", func() bool { return !runs(left.PID) })
}

// All processes stand still, as when a machine sleeps, in the middle of an answer. It goes on afterwards, nothing is
// ended for having been silent, and the engine is looked after.
func TestSleepEndsNothing(t *testing.T) {
	cmd, asleep, log := server(t, dataFolder(t))
	lease := engine.NewLease(Name, asleep.BaseURL, asleep.Key, nil, func() {})
	lines := stream(t, lease, 100) // most of which are to come, and which a busy machine makes in time
	for _, pid := range []int{cmd.Process.Pid, asleep.PID} {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(16 * time.Second) // what is shorter is no absence
	for _, pid := range []int{asleep.PID, cmd.Process.Pid} {
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}
	rest, err := io.ReadAll(lines)
	if err != nil || !strings.Contains(string(rest), "data: [DONE]") {
		t.Errorf("the stream did not come to its end: %v", err)
	}
	eventually(t, "a word about it", func() bool { return strings.Contains(log.String(), "the machine was away") })
	answers(t, lease)
	if !runs(asleep.PID) || strings.Contains(log.String(), "ended unasked") {
		t.Errorf("the engine was ended:\n%s", log)
	}
}
