package httpserver

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// answer reads one answer.
func answer(t *testing.T, r *bufio.Reader) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(r, &http.Request{Method: "POST"})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestALengthThatIsNotKept(t *testing.T) {
	addr := listen(t, ours(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", r.URL.RawQuery)
		if _, err := io.WriteString(w, "hello"); r.URL.RawQuery == "2" && err != http.ErrContentLength {
			t.Errorf("five bytes of two: %v", err)
		}
	})))
	for length, want := range map[string]string{"2": "then unexpected EOF", "many": `5 bytes "hello" <nil>`} {
		if got := told(t, addr, request("/ours?"+length, "")); !strings.Contains(got, want) {
			t.Errorf("of a length of %s came %s", length, got)
		}
	}
}

func TestAWholeAnswerWaitsForNothing(t *testing.T) {
	read := make(chan struct{})
	addr := listen(t, ours(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header()["Content-Length"] = []string{"4"}
		w.Write(body[:2])
		w.Write(body[2:])
		<-read // as whoever has things to do when it is answered
	})))
	nc := dial(t, addr)
	r := bufio.NewReader(nc)
	for _, body := range []string{"this", "that"} {
		io.WriteString(nc, request("/ours", body))
		if _, got := answer(t, r); got != body {
			t.Errorf("answered %q to %q", got, body)
		}
		read <- struct{}{}
	}
}

// who tells whether net/http's own writer answers.
func who(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	name := "net/http"
	if _, mine := w.(*response); mine {
		name = "ours"
	}
	io.WriteString(w, name+" "+r.Method+" "+r.URL.Path+" "+string(body))
	if err != nil || r.Context().Value(http.LocalAddrContextKey) == nil || r.Context().Value(http.ServerContextKey) == nil || r.RemoteAddr == "" {
		panic(errors.New("the request is not whole"))
	}
}

func TestWhatIsNotTakenIsHandedOver(t *testing.T) {
	addr := listen(t, ours(http.HandlerFunc(who)))
	for name, c := range map[string]struct{ sent, want string }{
		"ours":             {request("/ours", "body"), "ours POST /ours body"},
		"another path":     {request("/theirs", "body"), "net/http POST /theirs body"},
		"another method":   {"GET /ours HTTP/1.1\r\nHost: localhost\r\n\r\n", "net/http GET /ours "},
		"chunks":           {"POST /ours HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", "net/http POST /ours body"},
		"a large head":     {strings.Replace(request("/ours", "body"), "Host", "X: "+strings.Repeat("x", 2*bufferSize)+"\r\nHost", 1), "net/http POST /ours body"},
		"a folded line":    {strings.Replace(request("/ours", "body"), "Host", "X: a\r\n b\r\nHost", 1), "net/http POST /ours body"},
		"lines without CR": {strings.ReplaceAll(request("/ours", "body"), "\r\n", "\n"), "net/http POST /ours body"},
		"an older version": {"POST /ours HTTP/1.0\r\nContent-Length: 4\r\n\r\nbody", "net/http POST /ours body"},
	} {
		t.Run(name, func(t *testing.T) {
			nc := dial(t, addr)
			for _, piece := range [][]byte{[]byte(c.sent[:3]), []byte(c.sent[3:30]), []byte(c.sent[30:])} { // however it comes
				nc.Write(piece)
				time.Sleep(time.Millisecond)
			}
			if _, got := answer(t, bufio.NewReader(nc)); got != c.want {
				t.Errorf("answered %q, want %q", got, c.want)
			}
		})
	}
}

func TestAConnectionThatIsHandedOverServesOn(t *testing.T) {
	nc := dial(t, listen(t, ours(http.HandlerFunc(who))))
	io.WriteString(nc, request("/ours", "1")+request("/theirs", "2")+request("/ours", "3"))
	r := bufio.NewReader(nc)
	for _, want := range []string{"ours POST /ours 1", "net/http POST /theirs 2", "net/http POST /ours 3"} {
		if _, got := answer(t, r); got != want {
			t.Errorf("answered %q, want %q", got, want)
		}
	}
}

func TestAConnectionEndsWithTheAnswerThatItsClientCallsTheLast(t *testing.T) {
	nc := dial(t, listen(t, ours(http.HandlerFunc(who))))
	io.WriteString(nc, last(request("/ours", "last")))
	r := bufio.NewReader(nc)
	if resp, got := answer(t, r); got != "ours POST /ours last" || !resp.Close {
		t.Errorf("answered %q, %v", got, resp)
	}
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("the connection goes on: %v", err)
	}
}

func TestAClientThatLeavesEndsItsRequest(t *testing.T) {
	left := make(chan error, 1)
	addr := listen(t, ours(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		left <- r.Context().Err()
	})))
	nc := dial(t, addr)
	io.WriteString(nc, request("/ours", "body"))
	time.Sleep(3 * moment) // it is being watched
	nc.Close()
	if err := <-left; err != context.Canceled {
		t.Error(err)
	}
	nc = dial(t, addr)
	io.WriteString(nc, request("/ours", "body"))
	nc.Close() // at once
	<-left
}

func TestAWatchedConnectionServesOn(t *testing.T) {
	nc := dial(t, listen(t, ours(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		time.Sleep(4 * moment)
		if r.Context().Err() == nil {
			w.Write(b)
		}
	}))))
	r := bufio.NewReader(nc)
	for _, bodies := range []string{"1", "2", "34"} { // the last two behind each other
		for _, body := range strings.Split(bodies, "") {
			io.WriteString(nc, request("/ours", body))
		}
		for _, body := range strings.Split(bodies, "") {
			if _, got := answer(t, r); got != body {
				t.Errorf("answered %q to %q", got, body)
			}
		}
	}
}

func TestABodyThatIsNotReadEndsTheConnection(t *testing.T) {
	addr := listen(t, ours(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength < 100 { // it has come with the head: only its connection's next request matters
			time.Sleep(moment)
		}
		http.Error(w, "no", http.StatusUnauthorized)
	})))
	nc := dial(t, addr)
	io.WriteString(nc, request("/ours", "short")+request("/ours", "short"))
	r := bufio.NewReader(nc)
	for range 2 {
		if resp, _ := answer(t, r); resp.StatusCode != http.StatusUnauthorized || resp.Close {
			t.Errorf("answered %v", resp)
		}
	}
	nc = dial(t, addr)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		io.WriteString(nc, request("/ours", strings.Repeat("x", 4<<20)))
	}()
	r = bufio.NewReader(nc)
	if resp, body := answer(t, r); resp.StatusCode != http.StatusUnauthorized || !resp.Close || body != "no\n" {
		t.Errorf("answered %v, %q", resp, body)
	}
	<-sent
	if _, err := r.ReadByte(); err == nil {
		t.Error("the connection goes on")
	}
}

func TestABodyThatBreaksOffIsAnError(t *testing.T) {
	read := make(chan error, 1)
	addr := listen(t, ours(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		read <- err
	})))
	nc := dial(t, addr)
	io.WriteString(nc, strings.TrimSuffix(request("/ours", "body"), "dy"))
	nc.(*net.TCPConn).CloseWrite()
	if err := <-read; err != io.ErrUnexpectedEOF {
		t.Error(err)
	}
}

// only waits for the one connection of a server.
func only(s *Server) *conn {
	for ; ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		for c := range s.conns {
			s.mu.Unlock()
			return c
		}
		s.mu.Unlock()
	}
}

func (c *conn) is(s state) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state == s
}

func TestSilentConnectionsAreClosed(t *testing.T) {
	for name, sent := range map[string]string{"new": "", "in mid-head": "POST /ours HTTP/1.1\r\nHost", "after an answer": request("/ours", "")} {
		t.Run(name, func(t *testing.T) {
			s := ours(http.HandlerFunc(who))
			s.HTTP.ReadHeaderTimeout, s.HTTP.IdleTimeout = time.Minute, time.Minute
			nc := dial(t, listen(t, s))
			r := bufio.NewReader(nc)
			io.WriteString(nc, sent)
			if name == "after an answer" {
				answer(t, r)
			}
			c := only(s)
			for c.is(active) { // the answer has come, and its request is about to end
				time.Sleep(time.Millisecond)
			}
			closedIn := func(later time.Duration) bool {
				c.tick(time.Now().Add(later))
				return c.is(closed)
			}
			if closedIn(30 * time.Second) {
				t.Error("closed too soon")
			}
			if !closedIn(time.Minute + time.Second) {
				t.Error("not closed")
			}
			if _, err := r.ReadByte(); err == nil {
				t.Error("something came")
			}
		})
	}
}

func TestShutdown(t *testing.T) {
	running, finish := make(chan struct{}), make(chan struct{})
	s := ours(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if r.ContentLength > 0 {
			close(running)
			<-finish
		}
		io.WriteString(w, "done")
	}))
	addr := listen(t, s)
	idle, busy := dial(t, addr), dial(t, addr)
	fromIdle, fromBusy := bufio.NewReader(idle), bufio.NewReader(busy)
	io.WriteString(idle, request("/ours", ""))
	answer(t, fromIdle)
	io.WriteString(busy, request("/ours", "body"))
	<-running

	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a request under way: %v", err)
	}
	if _, err := fromIdle.ReadByte(); err == nil {
		t.Error("a connection without a request goes on")
	}
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("connections are still taken")
	}
	close(finish)
	if _, body := answer(t, fromBusy); body != "done" {
		t.Errorf("answered %q", body)
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := fromBusy.ReadByte(); err == nil {
		t.Error("the connection goes on")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := s.Serve(l); err != http.ErrServerClosed {
		t.Errorf("served after its end: %v", err)
	}
}

func TestAServerThatNeverServedEnds(t *testing.T) {
	if err := ours(nil).Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := ours(nil).Close(); err != nil {
		t.Error(err)
	}
}

// Writing events of a stream takes no memory.
func TestAnEventTakesNoMemory(t *testing.T) {
	allocations := make(chan float64, 1)
	nc := dial(t, listen(t, ours(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		event := []byte("data: {\"choices\":[\"hello\"]}\n\n")
		control := http.NewResponseController(w)
		allocations <- testing.AllocsPerRun(500, func() {
			w.Write(event)
			control.Flush()
		})
	}))))
	go io.Copy(io.Discard, nc)
	io.WriteString(nc, request("/ours", ""))
	if n := <-allocations; n != 0 {
		t.Errorf("%v allocations", n)
	}
}
