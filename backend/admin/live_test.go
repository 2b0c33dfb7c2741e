package admin_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mlxbar/backend/live"
)

// listen opens the stream and gives what comes, block by block.
func (h *house) listen(ctx context.Context, lastID string) (next func() string) {
	h.t.Helper()
	resp := h.request("GET", "/api/live", "", func(r *http.Request) {
		*r = *r.WithContext(ctx)
		if lastID != "" {
			r.Header.Set("Last-Event-ID", lastID)
		}
	})
	if got := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || got != "text/event-stream; charset=utf-8" || resp.Header.Get("Cache-Control") != "no-store" {
		h.t.Fatalf("%s, headers %v", resp.Status, resp.Header)
	}
	lines := bufio.NewReader(resp.Body)
	return func() string {
		var block strings.Builder
		for {
			line, err := lines.ReadString('\n')
			block.WriteString(line)
			if err == io.EOF {
				return block.String() + "EOF"
			}
			if err != nil {
				return block.String() + err.Error()
			}
			if line == "\n" {
				return block.String()
			}
		}
	}
}

// atFlush calls f once the first bytes of an answer are on their way, before the
// handler goes on.
type atFlush struct {
	http.ResponseWriter
	f func()
}

func (w *atFlush) FlushError() error {
	err := http.NewResponseController(w.ResponseWriter).Flush()
	if w.f != nil {
		w.f()
		w.f = nil
	}
	return err
}

func (w *atFlush) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestAListenerMissesNothingOnceItIsConnected(t *testing.T) {
	h := newHouse(t)
	publish := func() {
		if err := h.live.Publish(live.RequestStart, map[string]int{"n": 1}); err != nil {
			t.Error(err)
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.handler.ServeHTTP(&atFlush{w, publish}, r)
	}))
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() { cancel(); server.Close() })
	h.url = server.URL
	next := h.listen(ctx, "")
	if got := next(); !strings.HasPrefix(got, "id: ") || !strings.Contains(got, "-0\nretry: 1000\n") {
		t.Fatalf("the greeting is %q", got)
	}
	if got := next(); !strings.HasSuffix(got, "event: request.start\ndata: {\"n\":1}\n\n") {
		t.Fatalf("the first event is %q", got)
	}
}

// A browser that loses its stream before the first event comes back with the id of
// the greeting.
func TestAListenerResumesFromItsGreeting(t *testing.T) {
	h := newHouse(t)
	ctx, cancel := context.WithCancel(t.Context())
	greeting := h.listen(ctx, "")()
	cancel()
	id, _, _ := strings.Cut(strings.TrimPrefix(greeting, "id: "), "\n")
	if err := h.live.Publish(live.State, "meanwhile"); err != nil {
		t.Fatal(err)
	}
	next := h.listen(t.Context(), id)
	next()
	if got := next(); !strings.HasSuffix(got, "event: state\ndata: \"meanwhile\"\n\n") {
		t.Errorf("resumed with %q", got)
	}
}

func TestAStreamEndsWithTheServersLastState(t *testing.T) {
	h := newHouse(t)
	next := h.listen(t.Context(), "")
	next()
	if err := h.live.Publish(live.RequestEnd, "the last"); err != nil {
		t.Fatal(err)
	}
	h.live.Close()
	if got := next(); !strings.HasSuffix(got, "event: request.end\ndata: \"the last\"\n\n") {
		t.Errorf("before the last words came %q", got)
	}
	if got := next(); !strings.HasPrefix(got, "event: state\ndata: {") || !strings.Contains(got, `"version":"test"`) {
		t.Errorf("the last words are %q", got)
	}
	if got := next(); got != "EOF" {
		t.Errorf("after them came %q", got)
	}
}
