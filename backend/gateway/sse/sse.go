// Package sse splits a stream of server-sent events into its events without
// copying or decoding them, as the WHATWG HTML standard defines the framing
// (https://html.spec.whatwg.org/multipage/server-sent-events.html).
package sse

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// ErrTooLarge means that one event is larger than the reader allows.
var ErrTooLarge = errors.New("server-sent event too large")

const initialBuffer = 4 << 10

// Reader yields raw events, each with the blank line that ends it.
type Reader struct {
	src        io.Reader
	flushing   flushing     // src, where it can say whether it has to wait
	flush      func() error // before a wait, nil for nothing
	buf        []byte
	start, end int // buf[start:end] is read and not yet yielded
	scanned    int // buf[start:scanned] holds no end of an event
	max        int
	err        error
	borrowed   *[initialBuffer]byte // what buf began as
}

var buffers = sync.Pool{New: func() any { return new([initialBuffer]byte) }}

// flushing is a source that calls flush before it waits for bytes, and only then.
type flushing interface {
	ReadFlushing(p []byte, flush func() error) (int, error)
}

// NewReader reads from src events of at most max bytes.
func NewReader(src io.Reader, max int) *Reader {
	b := buffers.Get().(*[initialBuffer]byte)
	r := &Reader{src: src, buf: b[:min(initialBuffer, max):min(initialBuffer, max)], max: max, borrowed: b}
	r.flushing, _ = src.(flushing)
	return r
}

// BeforeWait has flush called whenever no event is here and the reader has to wait for more, so that what came together goes out
// together. An error of it is Next's. Of a source that cannot tell, a wait is expected at each read.
func (r *Reader) BeforeWait(flush func() error) { r.flush = flush }

// Release gives the reader's memory to another one. Neither the reader nor an event of it
// may be used afterwards.
func (r *Reader) Release() {
	buffers.Put(r.borrowed)
	*r = Reader{err: io.EOF}
}

// Next returns the next event; the bytes are valid until the call after. At the
// end of src it returns io.EOF, or io.ErrUnexpectedEOF if an event was begun and
// not ended.
func (r *Reader) Next() ([]byte, error) {
	for {
		if n := r.complete(); n > 0 {
			event := r.buf[r.start : r.start+n]
			r.start += n
			r.scanned = r.start
			return event, nil
		}
		if r.err != nil {
			return nil, r.ending()
		}
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
}

func (r *Reader) ending() error {
	if r.err == io.EOF && len(bytes.TrimSpace(r.buf[r.start:r.end])) > 0 {
		return io.ErrUnexpectedEOF
	}
	return r.err
}

// complete gives the length of the whole event at the start of the buffer, or 0.
func (r *Reader) complete() int {
	data := r.buf[r.start:r.end]
	from := max(r.scanned-r.start-3, 0) // an end may straddle two reads
	for i := from; ; i++ {
		next := lineBreak(data[i:])
		if next < 0 {
			break
		}
		i += next
		if n := blankLine(data[i:], r.err != nil); n > 0 {
			return i + n
		}
	}
	r.scanned = r.end
	return 0
}

// lineBreak is where the first LF or CR is, -1 without one. Two searches for one byte are
// much faster than a look at each.
func lineBreak(b []byte) int {
	lf := bytes.IndexByte(b, '\n')
	if lf >= 0 {
		b = b[:lf]
	}
	if cr := bytes.IndexByte(b, '\r'); cr >= 0 {
		return cr
	}
	return lf
}

// blankLine gives the length of the line end and the blank line after it at the
// start of d, or 0. A CR at the very end may be half of a CRLF, so it only counts
// once no more can come (final).
func blankLine(d []byte, final bool) int {
	first := lineEnd(d, final)
	if first == 0 {
		return 0
	}
	second := lineEnd(d[first:], final)
	if second == 0 {
		return 0
	}
	return first + second
}

func lineEnd(d []byte, final bool) int {
	switch {
	case len(d) == 0:
		return 0
	case d[0] == '\n':
		return 1
	case d[0] != '\r':
		return 0
	case len(d) == 1:
		if final {
			return 1
		}
		return 0
	case d[1] == '\n':
		return 2
	}
	return 1
}

func (r *Reader) fill() error {
	if r.start > 0 {
		copy(r.buf, r.buf[r.start:r.end])
		r.end -= r.start
		r.scanned -= r.start
		r.start = 0
	}
	if r.end == len(r.buf) {
		if len(r.buf) >= r.max {
			return ErrTooLarge
		}
		r.buf = append(r.buf, make([]byte, min(len(r.buf), r.max-len(r.buf)))...)
	}
	n, err := r.read(r.buf[r.end:])
	r.end += n
	r.err = err
	return nil
}

func (r *Reader) read(p []byte) (int, error) {
	switch {
	case r.flush == nil:
	case r.flushing != nil:
		return r.flushing.ReadFlushing(p, r.flush)
	default:
		if err := r.flush(); err != nil {
			return 0, err
		}
	}
	return r.src.Read(p)
}

// Data returns the event's data: the value of its data line, or its lines joined
// by newlines, and nil if it has none (a comment, for one). With one line, which
// is the rule, nothing is copied.
func Data(event []byte) []byte {
	var data []byte
	found := false
	for len(event) > 0 {
		var line []byte
		line, event = cutLine(event)
		value, ok := bytes.CutPrefix(line, []byte("data"))
		if !ok || (len(value) > 0 && value[0] != ':') {
			continue
		}
		value = bytes.TrimPrefix(value, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		if !found {
			data, found = value[:len(value):len(value)], true
			continue
		}
		data = append(append(data, '\n'), value...)
	}
	return data
}

func cutLine(b []byte) (line, rest []byte) {
	i := lineBreak(b)
	if i < 0 {
		return b, nil
	}
	return b[:i], b[i+lineEnd(b[i:], true):]
}
