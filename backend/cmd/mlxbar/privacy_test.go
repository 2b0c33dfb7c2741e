package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"mlxbar/backend/testkit"
)

// net/http prints such bytes with the standard logger, which writes to stderr, and
// who starts the server keeps that in a file.
func TestWhatFollowsAnAnswerIsNotPrinted(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dropped := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			dropped <- err
			return
		}
		defer conn.Close()
		r := bufio.NewReader(conn)
		req, err := http.ReadRequest(r)
		if err == nil {
			_, err = io.Copy(io.Discard, req.Body)
		}
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}canary-answer")
		io.Copy(io.Discard, r) // until the gateway, which has seen it all, gives the connection up
		dropped <- err
	}()
	h := newHouse(t)
	h.provider("http://" + listener.Addr().String() + "/v1")
	p := h.serve("--log-level", "debug")
	if resp := p.ask("any", false); resp.StatusCode != http.StatusOK {
		t.Errorf("the answer: %s", resp.Status)
	}
	if err := testkit.Receive(t, dropped); err != nil {
		t.Error(err)
	}
	p.signal(syscall.SIGTERM)
	p.ends()
	log, err := os.ReadFile(h.paths.Log)
	if err != nil || p.stderr.String() != "" || strings.Contains(string(log), "canary") {
		t.Errorf("stderr holds %q, the log %s, %v", p.stderr, log, err)
	}
}
