package desktop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/process"
	"golang.org/x/sys/unix"

	"mlxbar/backend/gateway/problem"
)

func TestFind(t *testing.T) {
	self := os.Getpid()
	for _, tc := range []struct{ name, file, want string }{
		{"no file", "", ErrNotRunning.Error()},
		{"a process that is gone", record(1<<22+7, time.Now()), "is gone"},
		{"a later process with the same id", record(self, time.Now().Add(-time.Hour)), "is gone"},
		{"a process that does not answer", record(self, born(t)), "connection refused"},
		{"no JSON", "{", "server.json"},
		{"no address", `{"pid":1}`, "names no process or address"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := NewHost(t.TempDir())
			if err := h.Paths.EnsureDirs(); err != nil {
				t.Fatal(err)
			}
			if tc.file != "" {
				if err := os.WriteFile(h.Paths.ServerFile, []byte(tc.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := h.Find(t.Context())
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Find = %v, want one that says %q", err, tc.want)
			}
		})
	}
}

// born is when this process started.
func born(t *testing.T) time.Time {
	t.Helper()
	p, err := process.NewProcess(int32(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	created, err := p.CreateTime()
	if err != nil {
		t.Fatal(err)
	}
	return time.UnixMilli(created)
}

func record(pid int, started time.Time) string {
	raw, _ := json.Marshal(Server{PID: pid, StartedAt: started, Addr: "127.0.0.1:1", URL: "http://127.0.0.1:1"})
	return string(raw)
}

func TestStartFindStop(t *testing.T) {
	h := newHost(t, "good")
	started, err := h.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if session, err := unix.Getsid(started.PID); err != nil || session != started.PID {
		t.Errorf("the server is in session %d (%v), want its own, %d", session, err, started.PID)
	}
	if info, err := os.Stat(h.Paths.ServerLog); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the server's log: %v, %v", info, err)
	}
	found, err := h.Find(t.Context())
	if err != nil || found.PID != started.PID {
		t.Errorf("Find = %+v, %v; want process %d", found, err, started.PID)
	}
	again, err := h.Start(t.Context())
	if err != nil || again.PID != started.PID {
		t.Errorf("a second Start = %+v, %v; want the first's server", again, err)
	}
	if err := h.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if alive(started) {
		t.Error("Stop returned before the server was gone")
	}
	if _, err := h.Ensure(t.Context()); !errors.Is(err, ErrNotRunning) || !h.StoppedOnPurpose() {
		t.Errorf("Ensure = %v after a Stop on purpose", err)
	}
	if _, err := h.Start(t.Context()); err != nil || h.StoppedOnPurpose() {
		t.Errorf("Start = %v; still marked as stopped: %t", err, h.StoppedOnPurpose())
	}
}

func TestManyStartOne(t *testing.T) {
	h := newHost(t, "good")
	var wg sync.WaitGroup
	pids := make([]int, 8)
	for i := range pids {
		wg.Go(func() {
			other := NewHost(h.Paths.Root)
			defer other.Close()
			s, err := other.Start(t.Context())
			if err != nil {
				t.Error(err)
			}
			pids[i] = s.PID
		})
	}
	wg.Wait()
	for _, pid := range pids {
		if pid != pids[0] {
			t.Fatalf("several servers were started: %v", pids)
		}
	}
}

func TestStartFailureIsTheServersSentence(t *testing.T) {
	for mode, want := range map[string]string{
		"taken": "Port 10242 is taken by another program.",
		"mute":  "said nothing",
		"dies":  died,
	} {
		t.Run(mode, func(t *testing.T) {
			h := newHost(t, mode)
			_, err := h.Start(t.Context())
			var failure *StartError
			if !errors.As(err, &failure) || !strings.Contains(failure.Sentence, want) {
				t.Errorf("Start = %v, want a StartError that says %q", err, want)
			}
		})
	}
}

func TestAServerThatIsStoppedWhileItStartsHasNotFailed(t *testing.T) {
	_, err := newHost(t, "stopped").Start(t.Context())
	var failure *StartError
	if !errors.Is(err, ErrNotRunning) || errors.As(err, &failure) {
		t.Errorf("Start = %v, want that it does not run", err)
	}
}

func TestWatch(t *testing.T) {
	h := newHost(t, "good")
	ctx, cancel := context.WithCancel(t.Context())
	states := make(chan State, 64)
	done := make(chan error, 1)
	go func() { done <- h.Watch(ctx, func(s State) { states <- s }) }()
	// until takes states up to the wanted phase; others may come before it, none is missed.
	until := func(want Phase) State {
		t.Helper()
		for {
			select {
			case s := <-states:
				if s.Phase == want {
					return s
				}
			case <-time.After(30 * time.Second):
				t.Fatalf("the phase %s never came", want)
			}
		}
	}
	until(Stopped)
	s, err := h.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := until(Running); got.Server.URL != s.URL {
		t.Errorf("running at %q, want %q", got.Server.URL, s.URL)
	}
	eventually(t, "it listens to the server", func() bool { // or it might see the end alone
		resp, err := h.request(t.Context(), http.MethodGet, s, "/api/listeners")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		n, err := io.ReadAll(resp.Body)
		return err == nil && string(n) == "1"
	})
	if err := h.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(Stopping)
	until(Stopped)

	if s, err = h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(Running)
	if err := syscall.Kill(s.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if got := until(Failed); got.Detail != died {
		t.Errorf("a killed server: %q, want %q", got.Detail, died)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Watch = %v", err)
	}
}

// A server that moves while a listener connects has told of it before that listener hears anything.
func TestAMoveDuringTheConnectionIsNotMissed(t *testing.T) {
	h := NewHost(filepath.Join(t.TempDir(), "data"))
	defer h.Close()
	if err := h.Paths.EnsureDirs(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.Paths.AdminToken, []byte(testToken), 0o600); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := os.WriteFile(h.Paths.ServerFile, []byte(record(os.Getpid(), born(t))), 0o600); err != nil { // elsewhere
			t.Error(err)
		}
		fmt.Fprint(w, ": hello\n\n")
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := h.follow(ctx, Server{PID: os.Getpid(), URL: server.URL}, func(s State) { t.Errorf("it tells of %+v", s) })
	if err != nil {
		t.Errorf("it goes on listening at the old address: %v", err)
	}
}

func TestProxy(t *testing.T) {
	h := newHost(t, "good")
	front := httptest.NewServer(h.Proxy())
	defer front.Close()
	defer front.Client().CloseIdleConnections()

	get := func() (int, map[string]any) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, front.URL+"/api/echo", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", "wails://wails")
		req.Header.Set("Referer", "wails://wails/")
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		req.Header.Set("Authorization", "Bearer something-else")
		resp, err := front.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		var body map[string]any
		if err := json.Unmarshal(raw, &body); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		return resp.StatusCode, body
	}

	status, body := get()
	if status != problem.ServerStopped.Status() || body["type"] != "/problems/server-stopped" {
		t.Errorf("with no server: %d %v", status, body)
	}
	for range 2 { // the second time at another address
		s, err := h.Start(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the proxy finds the server", func() bool { status, body = get(); return status == 200 })
		header := body["header"].(map[string]any)
		if body["host"] != s.Addr {
			t.Errorf("Host %v, want %s", body["host"], s.Addr)
		}
		if got := header["User-Agent"]; fmt.Sprint(got) != "[mlxbar-app/test]" {
			t.Errorf("User-Agent %v", got)
		}
		for _, name := range []string{"Origin", "Referer", "Sec-Fetch-Site"} {
			if header[name] != nil {
				t.Errorf("%s was passed on: %v", name, header[name])
			}
		}
		if err := h.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if status, _ = get(); status != problem.ServerStopped.Status() {
			t.Errorf("after the server's end: %d", status)
		}
	}
}

func TestProgramIsBesideThisOne(t *testing.T) {
	t.Setenv("MLXBAR_BIN", "")
	if _, err := Program("mlxbar-nonesuch"); err == nil || !strings.Contains(err.Error(), "mlxbar-nonesuch") {
		t.Errorf("Program = %v, want an error that names the missing one", err)
	}
}

func TestCopyUsesWhatIsInstalled(t *testing.T) {
	out := t.TempDir() + "/clipboard"
	o := Opener{copy: [][]string{{"mlxbar-no-such-program"}, {"tee", out}}, hint: "a clipboard"}
	if err := o.Copy(t.Context(), "http://127.0.0.1:10242/v1"); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(out); err != nil || string(got) != "http://127.0.0.1:10242/v1" {
		t.Errorf("copied %q, %v", got, err)
	}
	o.copy = o.copy[:1]
	if err := o.Copy(t.Context(), "x"); !errors.Is(err, ErrNoClipboard) || !strings.Contains(err.Error(), "a clipboard") {
		t.Errorf("Copy = %v, want ErrNoClipboard with a hint", err)
	}
}
