package httpserver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"mlxbar/backend/gateway/httphead"
)

// errNotOurs tells that a request is for net/http.
var errNotOurs = errors.New("httpserver: not a request for this server")

const method = http.MethodPost

// head is what stands before the body of a request.
type head struct {
	target string // as it came
	url    *url.URL
	host   string
	header http.Header // without Host
	length int64
	last   bool // the client takes no answer but this one from the connection
}

// couldBeOurs looks at what has come of a request so far.
func couldBeOurs(b []byte) bool {
	const line = method + " /"
	return len(b) >= len(line) && string(b[:len(line)]) == line || strings.HasPrefix(line, string(b))
}

// parseHead reads a whole head. It takes what everybody understands in the same way; net/http judges the rest.
func parseHead(b []byte) (h head, err error) {
	text := string(b) // what is kept of it are pieces of this one copy
	if strings.Count(text, "\n") != strings.Count(text, "\r\n") {
		return h, errNotOurs
	}
	line, text := httphead.CutLine(text)
	if err := h.requestLine(line); err != nil {
		return h, err
	}
	var ok bool
	if h.header, ok = httphead.Fields(text); !ok {
		return h, errNotOurs
	}
	return h, h.framing()
}

// requestLine takes "POST /path HTTP/1.1".
func (h *head) requestLine(line string) (err error) {
	line, ok := strings.CutPrefix(line, method+" ")
	target, ok2 := strings.CutSuffix(line, " HTTP/1.1")
	// Two slashes could be a host's, and what # means is up to who reads it.
	if !ok || !ok2 || !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "//") || strings.ContainsAny(target, " #") || !httphead.Plain(target) {
		return errNotOurs
	}
	h.target = target
	h.url, err = url.ParseRequestURI(target)
	return err
}

// framing finds out how long the body is. Whatever else could have a say in that is net/http's.
func (h *head) framing() error {
	for _, name := range []string{"Transfer-Encoding", "Expect", "Upgrade", "Trailer"} {
		if h.header[name] != nil {
			return errNotOurs
		}
	}
	if c := h.header["Connection"]; c != nil {
		h.last = strings.EqualFold(c[0], "close")
		if len(c) > 1 || !h.last && !strings.EqualFold(c[0], "keep-alive") {
			return errNotOurs
		}
	}
	hosts, lengths := h.header["Host"], h.header["Content-Length"]
	if len(hosts) != 1 || len(lengths) != 1 || len(lengths[0]) > 18 || !hostName(hosts[0]) {
		return errNotOurs
	}
	h.host = hosts[0]
	delete(h.header, "Host")
	length, err := strconv.ParseUint(lengths[0], 10, 63)
	h.length = int64(length)
	return err
}

// blank is what all requests have in common.
var blank = http.Request{Method: method, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}

// request is what a handler is given.
func (h *head) request(ctx context.Context, remote string, body io.ReadCloser) *http.Request {
	r := blank.WithContext(ctx) // a copy
	r.URL, r.RequestURI, r.Host, r.RemoteAddr = h.url, h.target, h.host, remote
	r.Header, r.ContentLength, r.Body, r.Close = h.header, h.length, body, h.last
	if h.length == 0 {
		r.Body = http.NoBody
	}
	return r
}

// hostName says whether s has only what the names and addresses of machines have.
func hostName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte("-._:[]", c) < 0 {
			return false
		}
	}
	return s != ""
}
