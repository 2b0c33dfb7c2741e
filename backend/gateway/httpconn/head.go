package httpconn

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"mlxbar/backend/gateway/httphead"
)

const (
	// maxHead is how large the head of an answer may be, and all that comes after its last chunk.
	maxHead = 64 << 10
	// maxInterim is how many answers like "103 Early Hints" may come before the one that counts.
	maxInterim = 5
)

// Why an answer cannot be read. Nothing of the answer is quoted: it may be somebody's words.
var (
	errStatusLine = errors.New("httpconn: the answer's first line is not one of HTTP/1")
	errHeaderLine = errors.New("httpconn: a line of the answer's header is malformed")
	errLength     = errors.New("httpconn: the answer's Content-Length is malformed")
	errEncoding   = errors.New("httpconn: the answer's Transfer-Encoding is not known")
	errHeadSize   = errors.New("httpconn: the answer's head is too large")
	errInterim    = errors.New("httpconn: too many interim answers")
	errUpgrade    = errors.New("httpconn: the server changed the protocol without having been asked to")
)

// head is what stands before the body of an answer.
type head struct {
	status  int
	reason  string // as net/http has it: "200 OK"
	minor   int    // of the version, 0 or 1
	header  http.Header
	length  int64 // -1 when it is not known
	chunked bool
	close   bool // the connection ends with the answer
}

// parseHead reads a whole head.
func parseHead(b []byte) (h head, err error) {
	text := string(b) // what is kept of it are pieces of this one copy
	line, text := httphead.CutLine(text)
	if !h.statusLine(line) {
		return h, errStatusLine
	}
	var ok bool
	if h.header, ok = httphead.Fields(text); !ok {
		return h, errHeaderLine
	}
	return h, h.framing()
}

// statusLine takes "HTTP/1.1 200 OK"; the words may be missing.
func (h *head) statusLine(line string) bool {
	version, status, ok := strings.Cut(line, " ")
	status = strings.TrimLeft(status, " ")
	code, _, _ := strings.Cut(status, " ")
	if !ok || len(code) != 3 || !httphead.Plain(status) {
		return false
	}
	switch version {
	case "HTTP/1.1":
		h.minor = 1
	case "HTTP/1.0":
	default:
		return false
	}
	n, err := strconv.ParseUint(code, 10, 16)
	h.status, h.reason = int(n), status
	return err == nil && n >= 100
}

// framing finds out how the body ends (RFC 9112, 6.3).
func (h *head) framing() error {
	h.length = -1
	h.close = h.minor == 0
	for _, v := range h.header["Connection"] {
		for option := range strings.SplitSeq(v, ",") {
			switch option = strings.Trim(option, " \t"); {
			case strings.EqualFold(option, "close"):
				h.close = true
			case h.minor == 0 && strings.EqualFold(option, "keep-alive"):
				h.close = false
			}
		}
	}
	lengths, encodings := h.header["Content-Length"], h.header["Transfer-Encoding"]
	for _, v := range lengths {
		n, err := strconv.ParseUint(v, 10, 63)
		if err != nil || v != lengths[0] {
			return errLength
		}
		h.length = int64(n)
	}
	if len(encodings) > 0 {
		if len(encodings) > 1 || !strings.EqualFold(encodings[0], "chunked") || h.minor == 0 {
			return errEncoding
		}
		// Who sends both may mean either: the chunks count, and the connection is not used again.
		h.close = h.close || len(lengths) > 0
		h.chunked, h.length = true, -1
	}
	if h.status < 200 || h.status == http.StatusNoContent || h.status == http.StatusNotModified {
		h.chunked, h.length = false, 0
	}
	h.close = h.close || (h.length < 0 && !h.chunked)
	return nil
}
