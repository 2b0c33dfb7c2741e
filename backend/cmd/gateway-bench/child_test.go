package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mlxbar/backend/datadir"
	"mlxbar/backend/settings"
	"mlxbar/backend/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func sh(t *testing.T, script string) (*child, error) {
	t.Helper()
	return startChild(t.Context(), "script", []string{"WORD=hello"}, "/bin/sh", "-c", script)
}

func TestChildLivesAndEnds(t *testing.T) {
	for name, script := range map[string]string{
		"by its stdin":  "echo prog $WORD ready on http://x; exec cat >/dev/null",
		"by the signal": "trap 'exit 0' TERM; echo prog $WORD ready on http://x; while :; do sleep 0.05; done",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := sh(t, script)
			if err != nil {
				t.Fatal(err)
			}
			if c.url != "http://x" || c.ready <= 0 {
				t.Errorf("url %q after %s", c.url, c.ready)
			}
			if now, peak, err := c.memory(); err != nil || now == 0 || peak < now {
				t.Errorf("memory %d, peak %d, %v", now, peak, err)
			}
			if err := c.stop(); err != nil && !strings.Contains(err.Error(), "terminated") {
				t.Error(err)
			}
			if err := c.stop(); err != nil {
				t.Errorf("second stop: %v", err)
			}
		})
	}
}

func TestChildThatFails(t *testing.T) {
	if _, err := sh(t, "echo the port is taken >&2; exit 3"); err == nil || !strings.Contains(err.Error(), "the port is taken") {
		t.Errorf("%v", err)
	}
	c, err := sh(t, "echo ready on http://x; exit 0")
	if err != nil {
		t.Fatal(err)
	}
	<-c.exited
	if err := c.stop(); err == nil || !strings.Contains(err.Error(), "ended by itself") {
		t.Errorf("a child that ended early was stopped with %v", err)
	}
}

func TestChildEndsWithTheRun(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := startChild(ctx, "script", nil, "/bin/sh", "-c", "exec cat >/dev/null"); err == nil {
		t.Error("a run that was broken off went on")
	}
}

func TestWhatAChildSaidIsKept(t *testing.T) {
	s, err := newSaid()
	if err != nil {
		t.Fatal(err)
	}
	s.file.WriteString(strings.Repeat("a", tailBytes))
	s.file.WriteString("the end\n")
	for range 2 { // while it runs, and afterwards
		if text := s.String(); len(text) != tailBytes-1 || !strings.HasSuffix(text, "aathe end") {
			t.Errorf("%d bytes: …%s", len(text), text[len(text)-10:])
		}
		s.end()
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var x tail
	x.Write(bytes.Repeat([]byte("a"), tailBytes))
	x.Write([]byte("the end"))
	if s := x.String(); len(s) != tailBytes || !strings.HasSuffix(s, "the end") {
		t.Errorf("%d bytes: …%s", len(s), s[len(s)-10:])
	}
}

func TestReverseProxy(t *testing.T) {
	up := testkit.NewUpstream(t)
	stdin, closeStdin := io.Pipe()
	stdout, w := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- serveProxy(t.Context(), strings.TrimSuffix(up.URL, "/v1"), w, stdin) }()
	line := make([]byte, 100)
	n, err := stdout.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	url := strings.TrimPrefix(strings.TrimSpace(string(line[:n])), "ready on ")
	req, _ := http.NewRequest("POST", url+"/v1/chat/completions", strings.NewReader(`{"model":"ok-3","stream":true}`))
	res, err := (&http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{}).DialContext}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if !strings.HasSuffix(string(body), "[DONE]\n\n") {
		t.Errorf("%s", body)
	}
	closeStdin.Close()
	if err := testkit.Receive(t, ended); err != nil {
		t.Error(err)
	}
}

func TestDataFolderHasValidSettings(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	if err := dataFolder(dir, route{Model: "*", URL: "http://127.0.0.1:9/v1"}, route{Model: "a", URL: "http://127.0.0.1:9/v1", Target: "b", KeyEnv: "K"}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(datadir.At(dir).Settings)
	if err != nil {
		t.Fatal(err)
	}
	s, err := settings.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Routes) != 2 || s.Routes[1].Targets[0].Model != "b" || s.Providers[1].APIKeyEnv != "K" {
		t.Errorf("%+v", s)
	}
}

func TestFlags(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"m", "f"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	programs := []string{"--mlxbar", filepath.Join(dir, "m"), "--fakeupstream", filepath.Join(dir, "f")}
	for _, c := range []struct {
		args []string
		err  string
	}{
		{programs, ""},
		{append([]string{"--quick"}, programs...), ""},
		{append([]string{"--rounds", "0"}, programs...), "at least 1"},
		{[]string{"--mlxbar", filepath.Join(dir, "none")}, "make bench"},
		{[]string{"--no-such"}, "not defined"},
	} {
		_, err := parseFlags(c.args, io.Discard)
		if (c.err == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%q: %v, want %q", c.args, err, c.err)
		}
	}
}

func TestLinkedFolder(t *testing.T) {
	prepared, dir := t.TempDir(), t.TempDir()
	os.MkdirAll(filepath.Join(prepared, "models"), 0o700)
	os.WriteFile(filepath.Join(prepared, "models", "a.gguf"), []byte("x"), 0o600)
	os.WriteFile(filepath.Join(prepared, "models", ".lock"), nil, 0o600)
	if err := linkEntries(prepared, dir, "models"); err != nil {
		t.Fatal(err)
	}
	entries, _ := os.ReadDir(filepath.Join(dir, "models"))
	if len(entries) != 1 || entries[0].Name() != "a.gguf" {
		t.Errorf("%v", entries)
	}
	if err := linkEntries(prepared, dir, "runtimes"); err == nil || !strings.Contains(err.Error(), "make setup") {
		t.Errorf("%v", err)
	}
}
