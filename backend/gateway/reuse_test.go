package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"mlxbar/backend/settings"
)

// oneAnswerEach listens as an engine that answers once on each connection, does not say that it
// will close it, and closes it when the next request has come: what llama.cpp's
// server does after a hundred.
func oneAnswerEach(t *testing.T) (url string, connections func() int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	n := 0
	var open sync.WaitGroup
	serve := func(conn net.Conn) {
		defer conn.Close()
		r := bufio.NewReader(conn)
		for i := range 2 {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, req.Body); err != nil || i == 1 {
				return
			}
			const answer = `{"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}`
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer)
		}
	}
	open.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			n++
			mu.Unlock()
			open.Go(func() { serve(conn) })
		}
	})
	// The first to be cleaned up is the gateway, which closes its connections.
	t.Cleanup(func() { l.Close(); open.Wait() })
	return "http://" + l.Addr().String(), func() int { mu.Lock(); defer mu.Unlock(); return n }
}

func TestAnEngineThatClosesAConnectionBetweenTwoRequestsIsAskedOnANewOne(t *testing.T) {
	url, connections := oneAnswerEach(t)
	h := newHouse(t, nil)
	h.engines.url = url
	for i := range 4 {
		resp := h.request("POST", "/v1/chat/completions", `{"model": "ok", "messages": [{"role": "user", "content": "hello"}]}`)
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("request %d: %s, %s, %v", i+1, resp.Status, body, err)
		}
	}
	if n := connections(); n != 4 {
		t.Errorf("%d connections for four answers", n)
	}
}

func TestTheConnectionOfAStreamThatCameToItsEndServesTheNext(t *testing.T) {
	var connections atomic.Int64
	far := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, `data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}`+"\n\n")
		w.(http.Flusher).Flush()
		io.WriteString(w, "data: [DONE]\n\n") // leaves with the stream's end
	}))
	far.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	far.Start()
	t.Cleanup(far.Close)
	h := newHouse(t, func(s *settings.Settings) { s.Providers[0].BaseURL = far.URL + "/v1" })
	for range 3 {
		events, err := readEvents(h.request("POST", "/v1/chat/completions", chat("far/ok", true)))
		if err != nil || len(events) != 2 {
			t.Fatalf("%q, %v", events, err)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections for three streams", n)
	}
}
