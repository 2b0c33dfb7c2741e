// Package httphead reads what stands before the body of a request or an answer of HTTP/1, for the client and the server of the gateway alike.
package httphead

import (
	"bytes"
	"net/http"
	"net/textproto"
	"strings"
)

// End is where the head at the start of b ends, 0 while it is not all there. What
// is before scanned has been looked at.
func End(b []byte, scanned int) int {
	for i := max(0, scanned-2); ; {
		n := bytes.IndexByte(b[i:], '\n')
		if n < 0 {
			return 0
		}
		i += n + 1
		switch rest := b[i:]; {
		case len(rest) > 0 && rest[0] == '\n':
			return i + 1
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			return i + 2
		}
	}
}

// Fields reads the lines that follow the first one, up to the empty line or the end of text; ok is false if one is malformed.
// What is kept of them are pieces of text.
func Fields(text string) (h http.Header, ok bool) {
	n := strings.Count(text, "\n")
	h = make(http.Header, n)
	values := make([]string, 0, n) // one piece of memory for all
	for {
		var line string
		if line, text = CutLine(text); line == "" {
			return h, true
		}
		name, value, ok := Field(line)
		if !ok {
			return h, false
		}
		name = textproto.CanonicalMIMEHeaderKey(name)
		if before, again := h[name]; again {
			h[name] = append(before, value)
			continue
		}
		values = append(values, value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
}

// CutLine takes the first line, whose end is LF or CR LF.
func CutLine(s string) (line, rest string) {
	line, rest, _ = strings.Cut(s, "\n")
	return strings.TrimSuffix(line, "\r"), rest
}

// Field takes "Name: value".
func Field(line string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(line, ":")
	value = strings.Trim(value, " \t")
	return name, value, ok && Token(name) && Plain(value)
}

// Token says that s is a name of a header (RFC 9110, 5.6.2).
func Token(s string) bool {
	for i := range len(s) {
		if !tokenChar[s[i]] {
			return false
		}
	}
	return s != ""
}

var tokenChar = func() (t [256]bool) {
	for c := '0'; c <= '9'; c++ {
		t[c] = true
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = true, true
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		t[c] = true
	}
	return t
}()

// Plain says that v has no control characters, by which a header would end.
func Plain(v string) bool {
	for i := range len(v) {
		if c := v[i]; (c < ' ' && c != '\t') || c == 0x7f {
			return false
		}
	}
	return true
}
