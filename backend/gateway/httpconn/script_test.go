package httpconn

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// script is a server that has a turn for each request of each connection, and closes a
// connection after its last turn.
type script struct {
	url         string
	mu          sync.Mutex
	connections int
	requests    []string // method, path, header and body
}

type turn func(conn net.Conn)

func say(text string) turn { return func(conn net.Conn) { io.WriteString(conn, text) } }

const hello = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\nhello"

func serve(t *testing.T, turns ...turn) *script {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &script{url: "http://" + l.Addr().String()}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.connections++
			s.mu.Unlock()
			open.Go(func() { defer conn.Close(); s.play(conn, turns) })
		}
	})
	t.Cleanup(func() { l.Close(); open.Wait() }) // after the client's connections are closed
	return s
}

func (s *script) play(conn net.Conn, turns []turn) {
	r := bufio.NewReader(conn)
	for _, answer := range turns {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.requests = append(s.requests, fmt.Sprintf("%s %s %s %s %q", req.Method, req.RequestURI, req.Host, req.Header.Get("X-Test"), body))
		s.mu.Unlock()
		answer(conn)
	}
}

func (s *script) count() (connections, requests int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connections, len(s.requests)
}

func newClient(t *testing.T) *Client {
	c := &Client{Dial: new(net.Dialer).DialContext, IdleTime: time.Minute, MaxIdle: 4}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func post(t *testing.T, url, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", url+"/v1/x?y=a%20b", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// ask gives the body of the answer, or why there is none.
func ask(c *Client, req *http.Request) (string, error) {
	resp, err := c.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}
