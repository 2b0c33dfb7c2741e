package server_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/process"

	"mlxbar/backend/datadir"
	"mlxbar/backend/server"
	"mlxbar/backend/testkit"
)

func TestTheDataFolderIsItsOwnersAlone(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.start()
	for path, want := range map[string]os.FileMode{
		h.paths.Root: 0o700, h.paths.Run: 0o700, h.paths.Logs: 0o700,
		h.paths.AdminToken: 0o600, h.paths.ServerFile: 0o600, h.paths.Lock: 0o600,
		h.paths.Settings: 0o600, h.paths.Database: 0o600, h.paths.Log: 0o600,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
	entries, err := os.ReadDir(h.paths.Root)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(h.paths.Root, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := h.paths.EnsureDirs(); err != nil {
		t.Errorf("a folder with %v in it is not taken for mlxbar's: %v", entries, err)
	}
}

func TestServerFileTellsHowToFindTheServer(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.start()
	raw, err := os.ReadFile(h.paths.ServerFile)
	if err != nil {
		t.Fatal(err)
	}
	var info datadir.ServerInfo
	if err := json.Unmarshal(raw, &info); err != nil {
		t.Fatal(err)
	}
	self, err := process.NewProcess(int32(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	born, err := self.CreateTime()
	if err != nil {
		t.Fatal(err)
	}
	if info.PID != os.Getpid() || info.URL != h.url || "http://"+info.Addr != h.url || info.Version != server.Version || !info.StartedAt.Equal(time.UnixMilli(born)) {
		t.Errorf("server.json is %s; the server is process %d at %s", raw, os.Getpid(), h.url)
	}
	if s := h.status(); s.PID != info.PID || s.URL != info.URL || s.Addr != info.Addr || s.State != "running" || s.DataDir != h.paths.Root || !s.StartedAt.Equal(info.StartedAt) {
		t.Errorf("the status %+v differs from server.json %s", s, raw)
	}
}

func TestTheTokenStaysAndTheRestOfARunGoes(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.start()
	first := h.token
	if len(first) < 32 {
		t.Errorf("the token %q is short", first)
	}
	h.stop()
	if err := h.wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(h.paths.ServerFile); !os.IsNotExist(err) {
		t.Errorf("server.json after the end: %v", err)
	}
	// A run that was killed leaves its server.json, and a person may have left the mark
	// of a server that is stopped on purpose.
	for _, path := range []string{h.paths.ServerFile, h.paths.Stopped} {
		if err := os.WriteFile(path, []byte(`{"pid":1,"url":"http://127.0.0.1:1"}`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(h.paths.AdminToken, 0o644); err != nil {
		t.Fatal(err)
	}
	h.start()
	if h.token != first {
		t.Error("the second start made another token")
	}
	if info, err := os.Stat(h.paths.AdminToken); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the token that was open to others is now %v, %v", info.Mode(), err)
	}
	if _, err := os.Stat(h.paths.Stopped); !os.IsNotExist(err) {
		t.Errorf("the mark of a stopped server is still there: %v", err)
	}
	if raw, err := os.ReadFile(h.paths.ServerFile); err != nil || !strings.Contains(string(raw), h.url) {
		t.Errorf("server.json holds %s, %v", raw, err)
	}
}

func TestASecondServerOnTheFolderIsRefused(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.start()
	before, err := os.ReadFile(h.paths.ServerFile)
	if err != nil {
		t.Fatal(err)
	}
	second := &house{t: t, paths: h.paths, opts: h.opts}
	says(t, second.fails(), h.url, fmt.Sprintf("process %d", os.Getpid()), "mlxbar stop", "--data-dir")
	if after, err := os.ReadFile(h.paths.ServerFile); err != nil || string(after) != string(before) {
		t.Errorf("server.json is now %s, %v", after, err)
	}
	h.text(h.request("GET", "/healthz", ""), 200)
}

func TestATakenPort(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	h := newHouse(t, testkit.NewUpstream(t).URL)
	want := []string{"port " + port, filepath.Base(os.Args[0]), fmt.Sprintf("process %d", os.Getpid()), "--addr", "server.addr"}

	h.opts.Addr = listener.Addr().String()
	says(t, h.fails(), want...)
	h.opts.Addr = ""
	h.writeSettings(fmt.Sprintf(`{"server": {"addr": %q}}`, listener.Addr()))
	says(t, h.fails(), want...)
	// What failed has let go of the folder.
	h.opts.Addr = "127.0.0.1:0"
	h.start()
}

func TestWhatKeepsAServerFromStarting(t *testing.T) {
	upstream := testkit.NewUpstream(t)
	for name, c := range map[string]struct {
		prepare func(h *house)
		says    []string
	}{
		"a setting out of range":     {func(h *house) { h.writeSettings(`{"timeouts": {"chat": "3s"}}`) }, []string{"settings.json", "timeouts.chat", "1m to 120m"}},
		"an unknown setting":         {func(h *house) { h.writeSettings(`{"timeouts": {"chatt": "3m"}}`) }, []string{"settings.json", "timeouts.chatt", "did you mean chat"}},
		"settings cut off":           {func(h *house) { h.writeSettings(`{"timeouts": {`) }, []string{"settings.json", "ends too early", "line 1"}},
		"settings of a newer mlxbar": {func(h *house) { h.writeSettings(`{"version": 99}`) }, []string{"settings.json", "newer version"}},
		"settings that are a folder": {func(h *house) {
			if err := os.Remove(h.paths.Settings); err != nil {
				h.t.Fatal(err)
			}
			if err := os.Mkdir(h.paths.Settings, 0o700); err != nil {
				h.t.Fatal(err)
			}
		}, []string{"settings.json", "directory"}},
		"a database that is none": {func(h *house) { h.write(h.paths.Database, "this is a text, not a database") }, []string{"mlxbar.db", "not an mlxbar database", "move the file away"}},
		"a token that is none":    {func(h *house) { h.write(h.paths.AdminToken, "x\n") }, []string{"admin.token", "delete the file"}},
		"an address without port": {func(h *house) { h.opts.Addr = "127.0.0.1" }, []string{"--addr 127.0.0.1", "HOST:PORT"}},
		"a port that is none":     {func(h *house) { h.opts.Addr = "127.0.0.1:http" }, []string{"--addr 127.0.0.1:http", "port"}},
		"a port too high":         {func(h *house) { h.opts.Addr = "127.0.0.1:65536" }, []string{"--addr 127.0.0.1:65536", "65535"}},
		"every address":           {func(h *house) { h.opts.Addr = ":0" }, []string{"--addr :0", "0.0.0.0 for every address"}},
		"another's address":       {func(h *house) { h.opts.Addr = "198.51.100.7:80" }, []string{"cannot listen on 198.51.100.7:80"}},
		"a name of the world":     {func(h *house) { h.opts.Addr = "example.com:80" }, []string{"--addr example.com:80", "no IP address"}},
		"a folder that is open and somebody else's": {func(h *house) {
			h.write(filepath.Join(h.paths.Root, "thesis.tex"), "x")
			if err := os.Chmod(h.paths.Root, 0o755); err != nil {
				h.t.Fatal(err)
			}
		}, []string{"open to other users", "empty folder"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, upstream.URL)
			c.prepare(h)
			before, _ := os.ReadFile(h.paths.Settings) // a folder in one case
			err := h.fails()
			says(t, err, c.says...)
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than a line: %q", err)
			}
			if after, _ := os.ReadFile(h.paths.Settings); string(after) != string(before) {
				t.Errorf("the settings were %s and are %s", before, after)
			}
			if _, err := os.Stat(h.paths.ServerFile); !os.IsNotExist(err) {
				t.Errorf("server.json: %v", err)
			}
		})
	}
}

func (h *house) write(path, text string) {
	h.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// says holds that an error names all of parts.
func says(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}
