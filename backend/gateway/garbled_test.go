package gateway_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"mlxbar/backend/audit"
	"mlxbar/backend/settings"
)

// net/http quotes what it cannot read of an answer, which may be somebody's words.
func TestWhatCannotBeReadOfAnAnswerIsNotRepeated(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	for name, answer := range map[string]string{
		"no HTTP":                    "canary-answer\r\n\r\n",
		"a status that is none":      "HTTP/1.1 canary-answer\r\n\r\n",
		"a header without a colon":   head + "canary-answer\r\n\r\n",
		"a length that is none":      head + "Content-Length: canary-answer\r\n\r\n",
		"an unknown encoding":        head + "Transfer-Encoding: canary-answer\r\n\r\n",
		"chunks without their sizes": head + "Transfer-Encoding: chunked\r\n\r\ncanary-answer\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			url := says(t, answer)
			h := newHouse(t, func(s *settings.Settings) { s.Providers[0].BaseURL = url })
			doc := readProblem(t, h.request("POST", "/v1/chat/completions", chat("far/ok", false)))
			if rec := h.only(); rec.Status != audit.Failed || doc.Type != "/problems/upstream-cut" {
				t.Errorf("record %+v, document %+v", rec, doc)
			}
			if text := h.log.String() + doc.Detail; !strings.Contains(text, "cause=") || strings.Contains(text, "canary") {
				t.Errorf("the log wants a cause without the answer's words: %s", text)
			}
		})
	}
}

// says is a server that answers everything with the same bytes.
func says(t *testing.T, answer string) (url string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				fmt.Fprint(conn, answer)
			}
			conn.Close()
		}
	})
	t.Cleanup(func() { listener.Close(); serving.Wait() })
	return "http://" + listener.Addr().String() + "/v1"
}
