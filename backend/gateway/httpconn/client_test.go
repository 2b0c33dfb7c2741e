package httpconn

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
