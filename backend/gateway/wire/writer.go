// Package wire reads and writes the JSON of the protocols that clients and
// upstreams speak. A Reader notes what is wrong and what had to be left out, each
// with its place; a Writer appends to a buffer that its caller owns. It knows no
// protocol.
package wire

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// NewWriter makes one with room for about size bytes.
func NewWriter(size int) Writer { return Writer{B: make([]byte, 0, size)} }

// A Writer appends JSON to B, commas included. Its methods give it back, so that an
// object reads from left to right. It does not check that objects are closed.
type Writer struct{ B []byte }

// comma stands between two members or elements; after anything that opens one
// (and after a blank, which only frames of events end with) there is none.
func (w *Writer) comma() {
	if n := len(w.B); n > 0 {
		switch w.B[n-1] {
		case '{', '[', ':', ',', ' ', '\n':
		default:
			w.B = append(w.B, ',')
		}
	}
}

// Obj opens an object.
func (w *Writer) Obj() *Writer { w.comma(); w.B = append(w.B, '{'); return w }

// EndObj closes it.
func (w *Writer) EndObj() *Writer { w.B = append(w.B, '}'); return w }

// Arr opens an array.
func (w *Writer) Arr() *Writer { w.comma(); w.B = append(w.B, '['); return w }

// EndArr closes it.
func (w *Writer) EndArr() *Writer { w.B = append(w.B, ']'); return w }

// Key begins a member. k is a name of a protocol and needs no escapes.
func (w *Writer) Key(k string) *Writer {
	w.comma()
	w.B = append(w.B, '"')
	w.B = append(w.B, k...)
	w.B = append(w.B, '"', ':')
	return w
}

// Str writes s as a string.
func (w *Writer) Str(s string) *Writer {
	w.comma()
	w.B = appendString(w.B, s)
	return w
}

// appendString appends what stands for itself in one piece, and leaves what needs an escape to gjson.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for len(s) > 0 {
		n := 0
		for n < len(s) && plain[s[n]] {
			n++
		}
		b, s = append(b, s[:n]...), s[n:]
		if n = 0; len(s) == 0 {
			break
		}
		for n < len(s) && !plain[s[n]] {
			n++
		}
		at := len(b) // where gjson begins with a quote
		b = gjson.AppendJSONString(b, s[:n])
		b = b[:at+copy(b[at:], b[at+1:len(b)-1])]
		s = s[n:]
	}
	return append(b, '"')
}

// plain are the bytes that stand for themselves. Those of a longer letter are none, so that it stays in one piece.
var plain = func() (plain [256]bool) {
	for c := byte(' '); c < utf8.RuneSelf; c++ {
		plain[c] = !strings.ContainsRune("\"\\<>&", rune(c))
	}
	return plain
}()

// Body writes a string whose escapes stand already: what was between the quotes of
// one or several JSON strings.
func (w *Writer) Body(body string) *Writer {
	w.comma()
	w.B = append(w.B, '"')
	w.B = append(w.B, body...)
	w.B = append(w.B, '"')
	return w
}

// Bodies is Body for one that is a slice.
func (w *Writer) Bodies(body []byte) *Writer {
	w.comma()
	w.B = append(w.B, '"')
	w.B = append(w.B, body...)
	w.B = append(w.B, '"')
	return w
}

// Raw writes a value that is JSON already; an empty one is null.
func (w *Writer) Raw(json string) *Writer {
	if json == "" {
		json = "null"
	}
	w.comma()
	w.B = append(w.B, json...)
	return w
}

// Int writes n.
func (w *Writer) Int(n int64) *Writer {
	w.comma()
	w.B = strconv.AppendInt(w.B, n, 10)
	return w
}

// Float writes f.
func (w *Writer) Float(f float64) *Writer {
	w.comma()
	w.B = strconv.AppendFloat(w.B, f, 'g', -1, 64)
	return w
}

// Bool writes b.
func (w *Writer) Bool(b bool) *Writer {
	w.comma()
	w.B = strconv.AppendBool(w.B, b)
	return w
}

// Strs writes an array of strings.
func (w *Writer) Strs(list []string) *Writer {
	w.Arr()
	for _, s := range list {
		w.Str(s)
	}
	return w.EndArr()
}

// Event opens a server-sent event of a type, "" for one that has none; its data follow.
func (w *Writer) Event(kind string) *Writer {
	if kind != "" {
		w.B = append(w.B, "event: "...)
		w.B = append(w.B, kind...)
		w.B = append(w.B, '\n')
	}
	w.B = append(w.B, "data: "...)
	return w
}

// EndEvent ends it.
func (w *Writer) EndEvent() *Writer { w.B = append(w.B, "\n\n"...); return w }
