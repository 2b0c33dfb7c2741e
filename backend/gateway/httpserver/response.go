package httpserver

import (
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"mlxbar/backend/gateway/httphead"
)

const (
	// holdSize is how much of a body is held back to find out how long it is.
	holdSize = 4 << 10
	// copySize is how much is copied to be sent together; what is larger is sent from where it is.
	copySize = 16 << 10
)

// response is an http.ResponseWriter. Interim answers and trailers are not among what it can.
type response struct {
	conn    *conn
	body    *body
	header  http.Header
	status  int   // 0 until WriteHeader
	length  int64 // that the handler has declared, else -1
	written int64
	begun   bool // the head was sent
	chunked bool
	close   bool // the connection ends with the answer
	typed   bool // the handler has said what the body is
	err     error
}

func (w *response) Header() http.Header { return w.header }

func (w *response) WriteHeader(status int) {
	if w.status != 0 || status < 200 || status > 999 {
		return
	}
	w.status = status
	if lengths := w.header["Content-Length"]; len(lengths) > 0 {
		n, err := strconv.ParseUint(lengths[0], 10, 63)
		if w.length = int64(n); err != nil || len(lengths) > 1 || !w.hasBody() {
			w.length = -1
			delete(w.header, "Content-Length")
		}
	}
	w.conn.held = w.conn.held[:0]
	w.conn.out = w.appendHead(w.conn.out[:0])
}

func (w *response) hasBody() bool {
	return w.status != http.StatusNoContent && w.status != http.StatusNotModified
}

// appendHead takes the headers as they are now: what a handler does to them later is too late.
func (w *response) appendHead(b []byte) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(w.status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(w.status)...)
	b = append(b, "\r\n"...)
	if w.header["Date"] == nil {
		b = w.conn.server.appendDate(append(b, "Date: "...))
		b = append(b, "\r\n"...)
	}
	var room [32]string
	names := room[:0]
	for name := range w.header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if !httphead.Token(name) || name == "Transfer-Encoding" || strings.HasPrefix(name, http.TrailerPrefix) {
			continue
		}
		for _, value := range w.header[name] {
			if name == "Connection" {
				w.close = w.close || strings.EqualFold(value, "close")
				continue
			}
			w.typed = w.typed || name == "Content-Type"
			b = append(append(b, name...), ": "...)
			b = append(appendValue(b, value), "\r\n"...)
		}
	}
	return b
}

// appendValue leaves nothing in a value that could end its line.
func appendValue(b []byte, value string) []byte {
	at := len(b)
	b = append(b, strings.Trim(value, " \t\r\n")...)
	for i := at; i < len(b); i++ {
		if b[i] == '\r' || b[i] == '\n' {
			b[i] = ' '
		}
	}
	return b
}

// endHead appends what is known of the body now that something is sent, and p is to be sent first.
func (w *response) endHead(b, p []byte) []byte {
	if w.hasBody() && !w.typed && len(w.conn.held)+len(p) > 0 {
		sample := w.conn.held
		if len(sample) == 0 {
			sample = p
		}
		b = append(append(b, "Content-Type: "...), http.DetectContentType(sample)...)
		b = append(b, "\r\n"...)
	}
	if w.chunked {
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	if w.close = w.close || !w.body.forget(); w.close {
		b = append(b, "Connection: close\r\n"...)
	}
	return append(b, "\r\n"...)
}

func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case w.err != nil:
		return 0, w.err
	case !w.hasBody():
		return 0, http.ErrBodyNotAllowed
	case w.length >= 0 && w.written+int64(len(p)) > w.length:
		return 0, http.ErrContentLength
	}
	w.written += int64(len(p))
	whole := w.written == w.length // whatever the handler has yet to do, the client need not wait for it
	if !whole && len(w.conn.held)+len(p) <= holdSize {
		w.conn.held = append(w.conn.held, p...)
		return len(p), nil
	}
	w.send(p, whole)
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// send puts what is held and p on the wire, in one piece.
func (w *response) send(p []byte, last bool) {
	if w.err != nil {
		return
	}
	b := w.conn.out // the head, if it is not sent
	if w.begun {
		b = b[:0]
	} else {
		w.begun = true
		w.chunked = w.length < 0 && w.hasBody()
		b = w.endHead(b, p)
	}
	held := w.conn.held
	size := len(held) + len(p)
	if w.chunked && size > 0 {
		b = append(strconv.AppendInt(b, int64(size), 16), "\r\n"...)
	}
	b = append(b, held...)
	w.conn.held = held[:0]
	tail := ""
	switch {
	case w.chunked && last && size > 0:
		tail = "\r\n0\r\n\r\n"
	case w.chunked && last:
		tail = "0\r\n\r\n"
	case w.chunked && size > 0:
		tail = "\r\n"
	}
	if len(p) > copySize {
		buffers := net.Buffers{b, p, []byte(tail)}
		_, w.err = buffers.WriteTo(w.conn.nc)
	} else if b = append(append(b, p...), tail...); len(b) > 0 {
		_, w.err = w.conn.socket.Write(b)
	}
	w.conn.out = b[:0]
	if w.err != nil { // the client has left
		w.conn.cancel()
	}
}

// finish sends what is not yet sent; false if the connection ends with it.
func (w *response) finish() bool {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.begun && w.length < 0 && w.hasBody() {
		w.length = w.written
		b := append(w.conn.out, "Content-Length: "...)
		w.conn.out = append(strconv.AppendInt(b, w.length, 10), "\r\n"...)
	}
	if !w.begun || w.chunked || len(w.conn.held) > 0 {
		w.send(nil, true)
	}
	short := w.length >= 0 && w.written < w.length
	return w.err == nil && !short && !w.close
}

// FlushError is for http.ResponseController, as are those that follow.
func (w *response) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.begun || len(w.conn.held) > 0 {
		w.send(nil, false)
	}
	return w.err
}

// Flush implements http.Flusher.
func (w *response) Flush() { w.FlushError() }

func (w *response) SetReadDeadline(t time.Time) error  { return w.conn.nc.SetReadDeadline(t) }
func (w *response) SetWriteDeadline(t time.Time) error { return w.conn.nc.SetWriteDeadline(t) }
