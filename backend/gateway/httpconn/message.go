package httpconn

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"

	"mlxbar/backend/gateway/httphead"
)

// message is a request as it is sent.
type message struct{ b []byte }

var messages = sync.Pool{New: func() any { return &message{} }}

// keptMessage is how much of a message's memory is kept for the next one.
const keptMessage = 16 << 10

func (m *message) free() {
	if cap(m.b) <= keptMessage {
		m.b = m.b[:0]
		messages.Put(m)
	}
}

// compose makes one piece of head and body, so that they leave together.
func compose(req *http.Request) (*message, error) {
	target, host := req.URL.RequestURI(), req.Host
	if host == "" {
		host = req.URL.Host
	}
	if !httphead.Token(req.Method) || !plain(target) || !plain(host) {
		return nil, errors.New("httpconn: the request's first lines cannot be sent")
	}
	m := messages.Get().(*message)
	b := append(m.b[:0], req.Method...)
	b = append(b, ' ')
	b = append(b, target...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, host...)
	for name, values := range req.Header {
		for _, v := range values {
			if !httphead.Token(name) || !httphead.Plain(v) {
				return nil, fmt.Errorf("httpconn: the value of the header %q cannot be sent", name)
			}
			b = append(b, "\r\n"...)
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, v...)
		}
	}
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, req.ContentLength, 10)
	b = append(b, "\r\n\r\n"...)
	if req.Body != nil {
		head := len(b)
		b = append(b, make([]byte, req.ContentLength)...)
		_, err := io.ReadFull(req.Body, b[head:])
		if err = errors.Join(err, req.Body.Close()); err != nil {
			return nil, fmt.Errorf("httpconn: read the request's body: %w", err)
		}
	}
	m.b = b
	return m, nil
}

// plain says that s, a host or a path, can stand in a request as it is.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return s != ""
}
