package server_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"mlxbar/backend/audit"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/testkit"
)

// gate is a provider that sends the first token of a stream and keeps the rest
// until it is opened.
type gate struct {
	url  string
	open func()
}

func newGate(t *testing.T) gate {
	opened := make(chan struct{})
	open := sync.OnceFunc(func() { close(opened) })
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, `data: {"choices":[{"index":0,"delta":{"content":"one"},"finish_reason":null}]}`+"\n\n")
		http.NewResponseController(w).Flush()
		select {
		case <-opened:
		case <-r.Context().Done():
			return
		}
		fmt.Fprint(w, `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}`+"\n\ndata: [DONE]\n\n")
	}))
	t.Cleanup(func() { open(); s.Close() })
	return gate{s.URL + "/v1", open}
}

// firstEvent reads a stream up to its first event.
func firstEvent(t *testing.T, resp *http.Response) *bufio.Reader {
	t.Helper()
	r := bufio.NewReader(resp.Body)
	line, err := r.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "data: ") {
		t.Fatalf("the stream begins %q, %v", line, err)
	}
	return r
}

func (h *house) refusesConnections() bool {
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(h.url, "http://"), time.Second)
	if err == nil {
		conn.Close()
	}
	return err != nil
}

func TestAServerThatIsToldToStopFinishesItsRequests(t *testing.T) {
	for name, stop := range map[string]func(h *house){
		"by a signal": func(h *house) { h.stop() },
		"by the API":  func(h *house) { h.text(h.request("POST", "/api/shutdown", ""), http.StatusAccepted) },
		"by both":     func(h *house) { h.text(h.request("POST", "/api/shutdown", ""), http.StatusAccepted); h.stop() },
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t)
			h := newHouse(t, g.url)
			h.start()
			events := h.listen("")
			resp := h.chat("any", true)
			rest := firstEvent(t, resp)
			stop(h)
			eventually(t, "new connections are refused", h.refusesConnections)
			for { // the last that a listener hears is that the server drains
				e, ok := events.next()
				if !ok {
					t.Fatal("no event said that the server drains")
				}
				if e.name == "state" && strings.Contains(e.data, `"state":"draining"`) {
					break
				}
			}
			select {
			case err := <-h.ended:
				t.Fatalf("the server ended with a request running: %v", err)
			default:
			}
			g.open()
			if raw, err := io.ReadAll(rest); err != nil || !strings.HasSuffix(string(raw), "data: [DONE]\n\n") {
				t.Errorf("the running answer ended with %q, %v", raw, err)
			}
			if err := h.wait(); err != nil {
				t.Errorf("Run = %v", err)
			}
			// Only then do the listeners' streams end, the end of the request before them.
			if e := events.until("request.end", nil); !strings.Contains(e.data, `"status":"success"`) {
				t.Errorf("a listener heard of its end %s", e.data)
			}
			records := h.recorded()
			if len(records) != 1 || records[0].Status != audit.Success || records[0].TotalTokens == nil || *records[0].TotalTokens != 4 {
				t.Errorf("the audit holds %+v", records)
			}
		})
	}
}

func TestARequestThatTakesTooLongIsCutShort(t *testing.T) {
	g := newGate(t) // never opened
	h := newHouse(t, g.url)
	h.opts.DrainTime = 50 * time.Millisecond
	h.start()
	events := h.listen("")
	streamed := firstEvent(t, h.chat("any", true))
	h.stop()
	raw, err := io.ReadAll(streamed)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the stream ended with %v, as if it were whole", err)
	}
	if !strings.Contains(string(raw), `"type":"/problems/shutting-down"`) {
		t.Errorf("the stream's last words are %q", raw)
	}
	if e := events.until("request.end", nil); !strings.Contains(e.data, `"status":"interrupted"`) {
		t.Errorf("a listener heard of its end %s", e.data)
	}
	if e := events.until("state", func(data string) bool { return strings.Contains(data, `"in_flight":0`) }); !strings.Contains(e.data, `"state":"draining"`) {
		t.Errorf("the last state is %s", e.data)
	}
	if err := h.wait(); err != nil {
		t.Errorf("Run = %v", err)
	}
	records := h.recorded()
	if len(records) != 1 || records[0].Status != audit.Interrupted || records[0].ErrorType != string(problem.ShuttingDown) || records[0].TotalTokens != nil {
		t.Errorf("the audit holds %+v", records)
	}
}

func TestARequestThatWaitsForItsAnswerIsToldOfTheStop(t *testing.T) {
	up := testkit.NewUpstream(t)
	h := newHouse(t, up.URL)
	h.opts.DrainTime = 50 * time.Millisecond
	h.start()
	go func() {
		for len(up.Requests()) == 0 && t.Context().Err() == nil {
			time.Sleep(5 * time.Millisecond)
		}
		h.stop()
	}()
	h.problem(h.chat("hang", false), problem.ShuttingDown)
	testkit.Receive(t, up.Gone())
}

// A listener that does not read fills its connection, and then blocks who writes to it.
func TestAListenerThatDoesNotReadHoldsNothingUp(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.start()
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	fmt.Fprintf(conn, "GET /api/live HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n\r\n", h.token)
	live := h.listen("")
	for range 400 { // each is told to all listeners, twice
		h.text(h.chat("ok", false), 200)
	}
	h.stop()
	if err := h.wait(); err != nil { // bounded: testkit.Patience
		t.Errorf("Run = %v", err)
	}
	live.until("state", func(data string) bool { return strings.Contains(data, `"state":"draining"`) })
}
