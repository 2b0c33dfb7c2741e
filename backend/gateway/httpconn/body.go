package httpconn

import (
	"bytes"
	"errors"
	"io"
	"math"

	"mlxbar/backend/gateway/httphead"
	"mlxbar/backend/gateway/socket"
)

// Why a body in chunks cannot be read.
var (
	errChunkSize = errors.New("httpconn: the size of a chunk is malformed")
	errChunkEnd  = errors.New("httpconn: a chunk is longer than its size")
	errTrailer   = errors.New("httpconn: what follows the last chunk is too large")
	errClosed    = errors.New("httpconn: read of an answer that was closed")
)

const (
	// maxLine is how long a line between chunks may be.
	maxLine = 4 << 10
	// maxRest is how much may be missing of an answer that is left, for its connection to be kept.
	maxRest = 64 << 10
)

// where in a body in chunks the next byte stands.
type place uint8

const (
	atSize    place = iota // before the line with a chunk's size
	inChunk                // left bytes of it are to come
	atEnd                  // before the line end behind a chunk
	inTrailer              // behind the last chunk
)

// body is the body of one answer. When its end has been read or it is closed it gives its
// connection back, and reads no more from it: by then that may serve another.
type body struct {
	cn      *conn // nil afterwards
	reuse   bool
	whole   bool // what is still to come matters to nobody
	chunked bool
	place   place
	left    int64 // of the body or of the chunk; -1 until the connection ends
	trailer int   // bytes of it so far
	err     error
}

func (b *body) ended() bool { return b.cn == nil }

// Read implements io.Reader. It waits only for the first byte, and tells the end with the last.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	n, err := b.read(p, (*conn).fill)
	if err != nil {
		if b.err = err; err == io.EOF {
			b.finish()
		}
	}
	return n, err
}

// ReadFlushing is Read that calls flush before it waits, if it has to; an error of flush is its own.
func (b *body) ReadFlushing(p []byte, flush func() error) (int, error) {
	if b.cn == nil { // its end is known, so there is no wait
		if err := flush(); err != nil {
			return 0, err
		}
		return b.Read(p)
	}
	b.cn.flush = flush
	n, err := b.Read(p)
	if b.cn != nil { // else it may serve another by now
		b.cn.flush = nil
	}
	return n, err
}

// polled fills the buffer with what has come.
func polled(cn *conn, _ int) error { return cn.poll() }

// finish gives the connection back after the last byte.
func (b *body) finish() {
	if cn := b.cn; cn != nil {
		b.cn, b.err = nil, io.EOF
		cn.release(b.reuse && cn.start == cn.end)
	}
}

// Whole says of the body of an answer, if it is this package's or wraps one, that all that matters has been read: when it is
// closed, what is missing is left to the next use of its connection, by which it will have
// come. Otherwise an answer that is left is cut off, so that its server stops working on it.
func Whole(r io.Reader) {
	if w, wraps := r.(interface{ Unwrap() io.Reader }); wraps {
		r = w.Unwrap()
	}
	if b, ours := r.(*body); ours {
		b.whole = true
	}
}

// Close implements io.Closer.
func (b *body) Close() error {
	cn := b.cn
	if cn == nil {
		return nil
	}
	reuse := b.reuse && b.whole && b.err == nil && b.left <= maxRest && (b.chunked || b.left >= 0)
	if reuse {
		cn.rest = *b
	}
	b.cn, b.err = nil, errClosed
	cn.release(reuse)
	return nil
}

// drain reads what has come of the rest of an answer; io.EOF is its end.
func (b *body) drain() error {
	for n := 0; n <= maxRest; {
		m, err := b.read(b.cn.scratch[:], polled)
		if n += m; err != nil {
			*b = body{}
			return err
		}
	}
	return socket.ErrNothing
}

// read fills p with what is in the connection's buffer, and has it filled only while there
// is nothing.
func (b *body) read(p []byte, fill func(*conn, int) error) (n int, err error) {
	if b.chunked {
		return b.readChunks(p, fill)
	}
	if b.left == 0 {
		return 0, io.EOF
	}
	if n, err = b.take(p, fill); n > 0 && b.left > 0 {
		b.left -= int64(n)
	}
	switch {
	case b.left == 0:
		return n, io.EOF
	case err == io.EOF && b.left > 0:
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

// take reads at most left bytes, or any number if that is negative. What p has much room
// for does not pass through the buffer.
func (b *body) take(p []byte, fill func(*conn, int) error) (int, error) {
	cn := b.cn
	most := int64(math.MaxInt64)
	if b.left >= 0 {
		most = b.left
	}
	p = p[:min(int64(len(p)), most)]
	if cn.start == cn.end && len(p) >= bufferSize {
		return cn.socket.ReadIdle(p, cn.idle)
	}
	if cn.start == cn.end {
		if err := fill(cn, bufferSize); err != nil {
			return 0, err
		}
	}
	n := copy(p, cn.buf[cn.start:cn.end])
	cn.start += n
	return n, nil
}

func (b *body) readChunks(p []byte, fill func(*conn, int) error) (n int, err error) {
	for {
		if b.place == inChunk {
			if n == len(p) || (n > 0 && b.cn.start == b.cn.end) {
				return n, nil
			}
			m, err := b.take(p[n:], fill)
			n, b.left = n+m, b.left-int64(m)
			if err != nil {
				return n, unexpected(err)
			}
			if b.left == 0 {
				b.place = atEnd
			}
			continue
		}
		line, whole, err := b.line()
		if err == nil && whole {
			err = b.between(line)
		} else if err == nil && n == 0 {
			err = unexpected(fill(b.cn, bufferSize))
		} else if err == nil { // more is to come, but this is here
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// line takes a line with its end from the buffer; whole is false while it is not all there.
func (b *body) line() (line []byte, whole bool, err error) {
	have := b.cn.buf[b.cn.start:b.cn.end]
	i := bytes.IndexByte(have, '\n')
	if i >= maxLine || (i < 0 && len(have) >= maxLine) {
		return nil, false, errChunkSize
	}
	if i < 0 {
		return nil, false, nil
	}
	b.cn.start += i + 1
	return have[:i+1], true, nil
}

// between takes a line that stands between the chunks or behind them; io.EOF is the end.
func (b *body) between(line []byte) error {
	line, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok { // a lone LF, which others may take for no end of a line
		return errChunkSize
	}
	switch b.place {
	case atEnd:
		if len(line) > 0 {
			return errChunkEnd
		}
		b.place = atSize
	case atSize:
		size, ok := chunkSize(line)
		if !ok {
			return errChunkSize
		}
		b.place, b.left = inChunk, size
		if size == 0 {
			b.place = inTrailer
		}
	case inTrailer:
		if len(line) == 0 {
			return io.EOF
		}
		if b.trailer += len(line); b.trailer > maxHead {
			return errTrailer
		}
		if _, _, ok := httphead.Field(string(line)); !ok {
			return errHeaderLine
		}
	}
	return nil
}

// chunkSize reads a line such as "1a2b;name=value", of which only the number counts.
func chunkSize(line []byte) (n int64, ok bool) {
	line, _, _ = bytes.Cut(line, []byte(";"))
	line = bytes.TrimRight(line, " \t")
	if len(line) == 0 || len(line) > 15 {
		return 0, false
	}
	for _, c := range line {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		n = n<<4 | int64(c)
	}
	return n, true
}
