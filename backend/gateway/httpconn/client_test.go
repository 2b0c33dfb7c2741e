package httpconn

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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

func TestARequestArrivesAndItsConnectionServesTheNext(t *testing.T) {
	s := serve(t, say(hello), say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nTrailer: x\r\n\r\n"), say(hello))
	c := newClient(t)
	for i := range 3 {
		req := post(t, s.url, "body")
		req.Header.Set("X-Test", "value")
		if body, err := ask(c, req); err != nil || body != "hello" {
			t.Fatalf("answer %d: %q, %v", i, body, err)
		}
	}
	if connections, requests := s.count(); connections != 1 || requests != 3 {
		t.Errorf("%d connections, %d requests", connections, requests)
	}
	if want := fmt.Sprintf("POST /v1/x?y=a%%20b %s value %q", s.url[len("http://"):], "body"); s.requests[0] != want {
		t.Errorf("got %s, want %s", s.requests[0], want)
	}
}

func TestAnswersThatEndTheirConnectionAreWholeAndAreNotFollowedOnIt(t *testing.T) {
	for name, answer := range map[string]string{
		"says so":              "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.0":             "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"no length":            "HTTP/1.1 200 OK\r\n\r\nhello",
		"no reason":            "HTTP/1.1 200\r\n\r\nhello",
		"length and chunks":    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"more than was said":   "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, world",
		"lone line feeds":      "HTTP/1.1 200 OK\nContent-Length: 5\nConnection: close\n\nhello",
		"after interim ones":   "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello",
		"the same length anew": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
		"a large head":         "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 50<<10) + "\r\nConnection: close\r\n\r\nhello",
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, say(answer))
			c := newClient(t)
			for range 2 {
				if body, err := ask(c, post(t, s.url, "")); err != nil || body != "hello" {
					t.Fatalf("%q, %v", body, err)
				}
			}
			if connections, _ := s.count(); connections != 2 {
				t.Errorf("%d connections", connections)
			}
		})
	}
}

func TestAKeptAliveConnectionOfHTTP10ServesTheNext(t *testing.T) {
	answer := "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\nhello"
	s := serve(t, say(answer), say(answer))
	c := newClient(t)
	for range 2 {
		if body, err := ask(c, post(t, s.url, "")); err != nil || body != "hello" {
			t.Fatalf("%q, %v", body, err)
		}
	}
	if connections, _ := s.count(); connections != 1 {
		t.Errorf("%d connections", connections)
	}
}

func TestMalformedAnswersAreErrorsThatRepeatNothing(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	const chunked = ok + "Transfer-Encoding: chunked\r\n\r\n"
	for name, answer := range map[string]string{
		"nothing":                  "",
		"no HTTP":                  "canary\r\n\r\n",
		"another version":          "HTTP/2.0 200 OK\r\n\r\n",
		"a status that is none":    "HTTP/1.1 canary\r\n\r\n",
		"a status of two digits":   "HTTP/1.1 20 canary\r\n\r\n",
		"a negative status":        "HTTP/1.1 -20 canary\r\n\r\n",
		"a head that ends early":   ok + "X: canary\r\n",
		"no colon":                 ok + "canary\r\n\r\n",
		"a space before the colon": ok + "Canary : x\r\n\r\n",
		"no name":                  ok + ": canary\r\n\r\n",
		"a folded line":            ok + "X: canary\r\n canary\r\n\r\n",
		"a control character":      ok + "X: canary\x00\r\n\r\n",
		"a length that is none":    ok + "Content-Length: canary\r\n\r\n",
		"a signed length":          ok + "Content-Length: +5\r\n\r\nhello",
		"two lengths":              ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
		"an unknown encoding":      ok + "Transfer-Encoding: gzip, chunked\r\n\r\n",
		"two encodings":            ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunks in HTTP/1.0":       "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"too much before it":       strings.Repeat("HTTP/1.1 103 canary\r\n\r\n", 7) + hello,
		"another protocol":         "HTTP/1.1 101 canary\r\n\r\n",
		"an endless head":          ok + "X: " + strings.Repeat("canary", 20_000) + "\r\n\r\n",
		"a body that ends early":   ok + "Content-Length: 50\r\n\r\ncanary",
		"chunks that end early":    chunked + "5\r\nhel",
		"no last chunk":            chunked + "5\r\nhello\r\n",
		"no end behind the last":   chunked + "0\r\n",
		"a chunk without size":     chunked + "canary\r\n",
		"an empty size":            chunked + "\r\n",
		"a size too large":         chunked + "fffffffffffffffff\r\nx",
		"a chunk longer than said": chunked + "2\r\ncanary\r\n0\r\n\r\n",
		"a lone LF":                chunked + "5\nhello\r\n0\r\n\r\n",
		"an endless size":          chunked + strings.Repeat("0", 10_000),
		"a malformed trailer":      chunked + "0\r\ncanary\r\n\r\n",
		"an endless trailer":       chunked + "0\r\n" + strings.Repeat("X: canary\r\n", 10_000) + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, say(answer))
			c := newClient(t)
			body, err := ask(c, post(t, s.url, ""))
			if err == nil {
				t.Fatalf("passed as %q", body)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("the error quotes the answer: %v", err)
			}
			if len(c.idle[s.url[len("http://"):]]) > 0 {
				t.Error("its connection was kept")
			}
		})
	}
}

// hangUp closes a connection in the place of an answer.
func hangUp(conn net.Conn) { conn.Close() }

func TestADeadConnectionIsNoticedAndOnlyWhatMayBeRepeatedIsAskedAnew(t *testing.T) {
	s := serve(t, say(hello), hangUp)
	c := newClient(t)
	if _, err := ask(c, post(t, s.url, "")); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(c, post(t, s.url, "once")); err == nil {
		t.Fatal("a request that may not be repeated was answered")
	}
	if _, requests := s.count(); requests != 2 {
		t.Fatalf("it was sent %d times", requests-1)
	}

	if _, err := ask(c, post(t, s.url, "")); err != nil {
		t.Fatal(err)
	}
	req := post(t, s.url, "twice")
	req.Header["Idempotency-Key"] = nil
	if body, err := ask(c, req); err != nil || body != "hello" {
		t.Fatalf("%q, %v", body, err)
	}
	if _, requests := s.count(); requests != 5 {
		t.Errorf("it was sent %d times", requests-3)
	}
}

func TestARequestThatANewConnectionDoesNotAnswerIsNotRepeated(t *testing.T) {
	s := serve(t, hangUp)
	req := post(t, s.url, "")
	req.Header["Idempotency-Key"] = nil
	if _, err := ask(newClient(t), req); err == nil {
		t.Fatal("answered")
	}
	if _, requests := s.count(); requests != 1 {
		t.Errorf("it was sent %d times", requests)
	}
}

func TestAConnectionThatTheServerClosedWhileItWasIdleIsNotUsed(t *testing.T) {
	closed := make(chan struct{})
	s := serve(t, func(conn net.Conn) { io.WriteString(conn, hello); conn.Close(); close(closed) })
	c := newClient(t)
	if _, err := ask(c, post(t, s.url, "")); err != nil {
		t.Fatal(err)
	}
	<-closed
	closed = make(chan struct{})
	if body, err := ask(c, post(t, s.url, "")); err != nil || body != "hello" {
		t.Fatalf("%q, %v", body, err)
	}
}

// rest answers with a stream whose last bytes come when it is told.
func rest(come <-chan struct{}, came chan<- struct{}) turn {
	return func(conn net.Conn) {
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndone\r\n")
		<-come
		io.WriteString(conn, "3\r\n...\r\n0\r\n\r\n")
		came <- struct{}{}
	}
}

func TestAnAnswerThatIsLeftBeforeItsEndLeavesAConnectionThatCanBeUsedOnceItHasCome(t *testing.T) {
	for name, early := range map[string]bool{"it came": true, "it did not": false} {
		t.Run(name, func(t *testing.T) {
			come, came := make(chan struct{}), make(chan struct{}, 2)
			s := serve(t, rest(come, came), say(hello))
			c := newClient(t)
			resp, err := c.RoundTrip(post(t, s.url, ""))
			if err != nil {
				t.Fatal(err)
			}
			var b [4]byte
			if _, err := io.ReadFull(resp.Body, b[:]); err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if n, err := resp.Body.Read(b[:]); n != 0 || err == nil {
				t.Errorf("%d bytes after it was closed", n)
			}
			want := 1
			if early {
				close(come)
				<-came
			} else {
				want = 2
			}
			req, answered := post(t, s.url, ""), make(chan error, 1)
			go func() { _, err := ask(c, req); answered <- err }()
			if !early { // the new connection begins with the same story
				for n, _ := s.count(); n < 2; n, _ = s.count() {
					time.Sleep(time.Millisecond)
				}
				close(come)
			}
			if err := <-answered; err != nil {
				t.Fatal(err)
			}
			if connections, _ := s.count(); connections != want {
				t.Errorf("%d connections, want %d", connections, want)
			}
		})
	}
}

func TestTheEndOfTheContextEndsEveryWait(t *testing.T) {
	for name, first := range map[string]string{"before the answer": "", "in its head": "HTTP/1.1 200", "in its body": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(conn net.Conn) { io.WriteString(conn, first); io.Copy(io.Discard, conn) })
			c := newClient(t)
			ctx, cancel := context.WithCancel(t.Context())
			req := post(t, s.url, "").WithContext(ctx)
			failed := make(chan error, 1)
			go func() { _, err := ask(c, req); failed <- err }()
			for _, n := s.count(); n == 0; _, n = s.count() {
				time.Sleep(time.Millisecond)
			}
			cancel()
			if err := <-failed; err == nil {
				t.Error("answered")
			}
			if len(c.idle) > 0 && len(c.idle[s.url[len("http://"):]]) > 0 {
				t.Error("its connection was kept")
			}
		})
	}
}

func TestConnectionsAreKeptForATimeAndNotTooMany(t *testing.T) {
	go1 := make(chan struct{})
	s := serve(t, func(conn net.Conn) { <-go1; io.WriteString(conn, hello) }, say(hello))
	c := newClient(t)
	c.MaxIdle = 2
	var all sync.WaitGroup
	for range 4 {
		req := post(t, s.url, "")
		all.Go(func() {
			if _, err := ask(c, req); err != nil {
				t.Error(err)
			}
		})
	}
	for n := 0; n < 4; n, _ = s.count() {
		time.Sleep(time.Millisecond)
	}
	close(go1)
	all.Wait()
	kept := func() int { c.mu.Lock(); defer c.mu.Unlock(); return len(c.idle[s.url[len("http://"):]]) }
	if n := kept(); n != 2 {
		t.Errorf("%d connections are kept", n)
	}
	c.mu.Lock()
	for _, cn := range c.idle[s.url[len("http://"):]] {
		cn.idleSince = cn.idleSince.Add(-c.IdleTime)
	}
	c.mu.Unlock()
	c.closeOld()
	if n := kept(); n != 0 || c.sweep != nil {
		t.Errorf("%d connections are kept after their time", n)
	}
}

func TestNoConnectionIsADialError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	var dial *DialError
	if _, err := ask(newClient(t), post(t, "http://"+l.Addr().String(), "")); !errors.As(err, &dial) {
		t.Errorf("got %v", err)
	}
}

func TestARefusalThatComesBeforeTheBodyWasTakenIsRead(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan struct{})
	go func() {
		defer close(served)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nhello") // nothing of the request was read
		var b [1]byte
		for {
			if _, err := conn.Read(b[:]); err != nil {
				return
			}
		}
	}()
	c := newClient(t)
	resp, err := c.RoundTrip(post(t, "http://"+l.Addr().String(), strings.Repeat("x", MaxBody)))
	if err != nil || resp.StatusCode != 413 {
		t.Fatalf("%v, %v", resp, err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	c.CloseIdleConnections()
	<-served
}

func TestWhatCannotBeSentIsRefused(t *testing.T) {
	c := newClient(t)
	for name, change := range map[string]func(*http.Request){
		"TLS":                 func(r *http.Request) { r.URL.Scheme = "https" },
		"a large body":        func(r *http.Request) { r.ContentLength = MaxBody + 1 },
		"an unknown length":   func(r *http.Request) { r.ContentLength = -1 },
		"a head alone":        func(r *http.Request) { r.Method = "HEAD" },
		"a method of two":     func(r *http.Request) { r.Method = "GET /x" },
		"a key of two lines":  func(r *http.Request) { r.Header.Set("Authorization", "Bearer canary\r\nX: y") },
		"a name of two lines": func(r *http.Request) { r.Header["X: y\r\nZ"] = []string{"canary"} },
		"a host of two":       func(r *http.Request) { r.Host = "a b" },
		"a short body":        func(r *http.Request) { r.ContentLength = 10 },
	} {
		req := post(t, "http://127.0.0.1:1", "body")
		change(req)
		_, err := ask(c, req)
		var dial *DialError
		if err == nil || errors.As(err, &dial) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
