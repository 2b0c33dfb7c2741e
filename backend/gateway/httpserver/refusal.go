package httpserver

import (
	"bytes"
	"net/http"
	"strconv"
)

// The heads of what net/http answers by itself, ahead of any handler, after their first line. A handler's answer
// has its own headers or the date there.
var (
	plain      = []byte("Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")
	unexpected = []byte("Connection: close\r\nDate: ") // an Expect that it does not know
)

// maxRefusal is longer than each of these answers.
const maxRefusal = 512

// refused gives the status of an answer of net/http's own, 0 for all else that is written.
func refused(p []byte) int {
	if len(p) > maxRefusal || !bytes.HasPrefix(p, []byte("HTTP/1.1 ")) {
		return 0
	}
	line, rest, _ := bytes.Cut(p, []byte("\r\n"))
	if len(line) < len("HTTP/1.1 400") {
		return 0
	}
	status, err := strconv.Atoi(string(line[len("HTTP/1.1 "):len("HTTP/1.1 400")]))
	if err != nil {
		return 0
	}
	if bytes.HasPrefix(rest, plain) || status == http.StatusExpectationFailed && bytes.HasPrefix(rest, unexpected) {
		return status
	}
	return 0
}

// Write sends what net/http answers, with the server's own words where net/http has some.
func (r *replayed) Write(p []byte) (int, error) {
	status := 0
	if r.refusal != nil {
		status = refused(p)
	}
	if status == 0 {
		return r.Conn.Write(p)
	}
	answer := r.refusal(status)
	answer.ProtoMajor, answer.ProtoMinor, answer.Close = 1, 1, true
	var text bytes.Buffer
	if err := answer.Write(&text); err != nil {
		return 0, err
	}
	if _, err := r.Conn.Write(text.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}
