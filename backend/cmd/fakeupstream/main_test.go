package main_test

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mlxbar/backend/testkit"
)

// TestServesUntilStdinCloses builds the command and lives its life once.
func TestServesUntilStdinCloses(t *testing.T) {
	dir := t.TempDir()
	if err := testkit.Build(dir, "fakeupstream"); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(filepath.Join(dir, "fakeupstream"), "--until-stdin", "--chunks", "3", "--key", "k")
	c.Stderr = os.Stderr
	stdin, _ := c.StdinPipe()
	stdout, _ := c.StdoutPipe()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Process.Kill()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "ready on ")
	if err != nil || !ok || !strings.HasSuffix(url, "/v1") {
		t.Fatalf("first line %q, %v", line, err)
	}
	req, _ := http.NewRequest("POST", url+"/chat/completions", strings.NewReader(`{"model":"ok"}`))
	req.Header.Set("Authorization", "Bearer k")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); res.StatusCode != 200 || !strings.Contains(string(body), `"completion_tokens":3`) {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	stdin.Close()
	exited := make(chan error, 1)
	go func() { exited <- c.Wait() }()
	if err := testkit.Receive(t, exited); err != nil {
		t.Error(err)
	}
}
