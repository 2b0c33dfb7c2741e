package httpserver

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is one that runs.
type server interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
	Close() error
}

// listen starts s and gives its address; the test's end ends it.
func listen(t *testing.T, s server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve returned %v", err)
		}
	})
	return l.Addr().String()
}

// ours takes every path below /ours.
func ours(h http.Handler) *Server {
	return &Server{
		HTTP:  &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)},
		Takes: func(path string) bool { return strings.HasPrefix(path, "/ours") },
	}
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(30 * time.Second))
	return nc
}

func request(path, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}

// last is a request, the first of what is sent, whose client takes no other answer.
func last(sent string) string { return strings.Replace(sent, "Host:", "Connection: close\r\nHost:", 1) }

// answers are handlers of all kinds, and what each answers must be what net/http makes of it.
var answers = map[string]http.HandlerFunc{
	"nothing": func(http.ResponseWriter, *http.Request) {},
	"short": func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "hel")
		io.WriteString(w, "lo")
	},
	"declared": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
		w.Header().Set("Content-Type", "text/x")
		io.WriteString(w, "hello")
	},
	"long": func(w http.ResponseWriter, _ *http.Request) {
		for range 100 {
			w.Write(bytes.Repeat([]byte("0123456789"), 50))
		}
	},
	"large": func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("x"))
		w.Write(bytes.Repeat([]byte("0123456789"), 100_000))
	},
	"flushed": func(w http.ResponseWriter, _ *http.Request) {
		http.NewResponseController(w).Flush()
		for _, s := range []string{"a", "", "bc"} {
			io.WriteString(w, s)
			w.(http.Flusher).Flush()
		}
		io.WriteString(w, "the rest")
	},
	"status": func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["X-Many"] = []string{"1", " 2 ", "3\r\nX-Evil: 4"}
		w.Header()["bad name"] = []string{"x"}
		w.WriteHeader(http.StatusTeapot)
		w.WriteHeader(http.StatusOK)
		w.Header().Set("X-Late", "1")
		io.WriteString(w, "<html>")
	},
	"no content": func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
		if _, err := io.WriteString(w, "x"); err != http.ErrBodyNotAllowed {
			panic(err)
		}
	},
	"too little": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		io.WriteString(w, "hello")
	},
	"last": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		io.WriteString(w, "bye")
	},
	"cut": func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "hello")
		w.(http.Flusher).Flush()
		io.WriteString(w, "you")
		panic(http.ErrAbortHandler)
	},
	"panic": func(http.ResponseWriter, *http.Request) { panic("secret") },
	"echo": func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %q %v %d %v", r.Method, r.URL, r.Host, b, err, r.ContentLength, r.Header)
	},
	"closed body": func(w http.ResponseWriter, r *http.Request) {
		r.Body.Close()
		_, err := r.Body.Read(make([]byte, 1))
		fmt.Fprint(w, err == http.ErrBodyReadAfterClose)
	},
}

// told is all that a client hears.
func told(t *testing.T, addr, sent string) string {
	t.Helper()
	nc := dial(t, addr)
	io.WriteString(nc, sent)
	nc.(*net.TCPConn).CloseWrite()
	r := bufio.NewReader(nc)
	var heard strings.Builder
	for {
		resp, err := http.ReadResponse(r, &http.Request{Method: "POST"})
		if err != nil {
			fmt.Fprintf(&heard, "then %v\n", err)
			return heard.String()
		}
		if resp.Header.Get("Date") == "" {
			t.Error("no date")
		}
		resp.Header.Del("Date")
		body, err := io.ReadAll(resp.Body)
		fmt.Fprintf(&heard, "%s %v length %d %v close %v\n", resp.Status, resp.Header, resp.ContentLength, resp.TransferEncoding, resp.Close)
		fmt.Fprintf(&heard, "%d bytes %.200q %v\n", len(body), body, err)
	}
}

func TestAnswersAreThoseOfNetHTTP(t *testing.T) {
	mux := http.NewServeMux()
	for name, h := range answers {
		mux.Handle("/ours/"+strings.ReplaceAll(name, " ", "-"), drained(name, h))
	}
	front := listen(t, ours(mux))
	reference := listen(t, &http.Server{Handler: mux, ErrorLog: log.New(io.Discard, "", 0)})
	for _, name := range slices.Sorted(maps.Keys(answers)) {
		t.Run(name, func(t *testing.T) {
			path := "/ours/" + strings.ReplaceAll(name, " ", "-")
			sent := request(path, `{"a":1}`) + request(path+"?again", "") // one behind the other
			for _, sent := range []string{sent, last(sent)} {
				got, want := told(t, front, sent), told(t, reference, sent)
				if got != want {
					t.Errorf("to %q answered\n%s\nnet/http\n%s", sent, got, want)
				}
			}
		})
	}
}

// drained reads the body first, as handlers here do, but for those that are about it.
func drained(name string, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(name, "body") && name != "echo" {
			io.Copy(io.Discard, r.Body)
		}
		h(w, r)
	}
}
