package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mlxbar/backend/testkit"
)

func TestItHoldsWhatItIsToldAndEndsWithStdin(t *testing.T) {
	from := filepath.Join(t.TempDir(), "weights")
	if err := os.WriteFile(from, []byte("weights"), 0o600); err != nil {
		t.Fatal(err)
	}
	orders, in := io.Pipe()
	words, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(orders, out) }()
	lines := bufio.NewScanner(words)
	next := func() string { lines.Scan(); return lines.Text() }
	url, ok := strings.CutPrefix(next(), "ready on ")
	if !ok {
		t.Fatal(lines.Text())
	}
	for _, order := range []string{
		fmt.Sprintf(`{"repo": "maker/m", "file": "m.gguf", "from": %q}`, from),
		`{"repo": "maker/m", "file": "m.gguf", "claim": 1000}`,
		`{"file": "m.gguf", "fail": [{"status": 503}]}`,
	} {
		fmt.Fprintln(in, order)
		if said := next(); said != "ok 0" {
			t.Fatal(order, said)
		}
	}
	client := &http.Client{Timeout: testkit.Patience}
	defer client.CloseIdleConnections()
	for path, want := range map[string]string{
		"/api/models/maker/m/revision/main": `"size":1000`,
		"/maker/m/resolve/main/m.gguf":      "503",
	} {
		resp, err := client.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.Contains(resp.Status+string(body), want) {
			t.Errorf("%s: %s %s, %v", path, resp.Status, body, err)
		}
	}
	fmt.Fprintln(in, "{}")
	if said := next(); said != "ok 2" {
		t.Error(said)
	}
	in.Close()
	if err := testkit.Receive(t, ended); err != nil {
		t.Error(err)
	}
	if err := obey(nil, []byte(`{"unknown": 1}`)); err == nil {
		t.Error("an unknown order is obeyed")
	}
}
