package httpserver

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"mlxbar/backend/gateway/httphead"
)

const plainHead = "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:10242\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"

func TestWhatIsLeftToNetHTTP(t *testing.T) {
	with := func(header string) string { return strings.Replace(plainHead, "\r\n\r\n", "\r\n"+header+"\r\n\r\n", 1) }
	for name, head := range map[string]string{
		"another method":         strings.Replace(plainHead, "POST", "GET", 1),
		"another version":        strings.Replace(plainHead, "HTTP/1.1", "HTTP/1.0", 1),
		"a whole address":        strings.Replace(plainHead, "/v1", "http://localhost/v1", 1),
		"a path of two slashes":  strings.Replace(plainHead, "/v1", "//v1", 1),
		"a malformed escape":     strings.Replace(plainHead, "/v1", "/%zz", 1),
		"no host":                strings.Replace(plainHead, "Host:", "Hosts:", 1),
		"two hosts":              with("Host: localhost"),
		"a strange host":         strings.Replace(plainHead, "127.0.0.1", "a/b", 1),
		"no length":              strings.Replace(plainHead, "Content-Length:", "Length:", 1),
		"two lengths":            with("Content-Length: 2"),
		"a negative length":      strings.Replace(plainHead, "Length: 2", "Length: -2", 1),
		"a length with a sign":   strings.Replace(plainHead, "Length: 2", "Length: +2", 1),
		"chunks":                 with("Transfer-Encoding: chunked"),
		"a wish to be told":      with("Expect: 100-continue"),
		"an upgrade":             with("Connection: Upgrade"),
		"another upgrade":        with("Upgrade: h2c"),
		"an end and more":        with("Connection: close, X-A"),
		"two wishes":             with("Connection: keep-alive\r\nConnection: close"),
		"a folded line":          with("X: a\r\n b"),
		"a space before a colon": with("X : a"),
		"a lone line feed":       with("X: a\nY: b"),
		"a lone carriage return": with("X: a\rY: b"),
		"a zero byte":            with("X: a\x00"),
		"no colon":               with("X"),
		"no name":                with(": x"),
	} {
		if h, err := parseHead([]byte(head)); err == nil {
			t.Errorf("%s is taken, as %+v", name, h)
		}
	}
	for _, head := range []string{plainHead, with("Connection: keep-alive"), with("Connection: Close")} {
		if h, err := parseHead([]byte(head)); err != nil || h.last != strings.Contains(head, "Close") {
			t.Errorf("%q: %+v, %v", head, h, err)
		}
	}
}

// FuzzHead holds the reader of heads to net/http's: what ours takes, theirs takes for the same.
func FuzzHead(f *testing.F) {
	f.Add([]byte(plainHead))
	f.Add([]byte("POST /v1/messages?beta=true HTTP/1.1\r\nhost:[::1]:1\r\ncontent-length:  007\t\r\nx-a: 1\r\nX-A: 2\r\nConnection: Keep-Alive\r\n\r\n"))
	f.Add([]byte("POST /a HTTP/1.1\r\nHost: a\r\nconnection: CLOSE\r\nContent-Length: 0\r\n\r\n"))
	f.Add([]byte("POST /a%20b/../c;d?x=%zz HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nPragma: no-cache\r\nCookie: ä\r\n\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		size := httphead.End(in, 0)
		if !couldBeOurs(in) || size == 0 {
			return
		}
		for scanned := range in[:size] { // found, however it comes
			if got := httphead.End(in, min(scanned, size-1)); got != size {
				t.Fatalf("the end of %q is at %d, from %d at %d", in, size, scanned, got)
			}
		}
		h, err := parseHead(in[:size])
		if err != nil {
			return
		}
		ours := h.request(context.Background(), "", http.NoBody)
		theirs, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(in)))
		if err != nil {
			t.Fatalf("net/http refuses %q: %v", in[:size], err)
		}
		if ours.Method != theirs.Method || ours.URL.String() != theirs.URL.String() || ours.URL.Path != theirs.URL.Path || ours.RequestURI != theirs.RequestURI ||
			ours.Host != theirs.Host || ours.ContentLength != theirs.ContentLength || ours.Proto != theirs.Proto || ours.Close != theirs.Close || len(theirs.TransferEncoding) > 0 {
			t.Fatalf("%+v, net/http %+v", ours, theirs)
		}
		theirs.Header.Del("Host")
		if theirs.Header.Get("Pragma") == "no-cache" && ours.Header["Cache-Control"] == nil {
			theirs.Header.Del("Cache-Control") // net/http makes one of a Pragma
		}
		if !maps.EqualFunc(ours.Header, theirs.Header, slices.Equal) {
			t.Fatalf("%v, net/http %v", ours.Header, theirs.Header)
		}
		io.Copy(io.Discard, theirs.Body)
	})
}
