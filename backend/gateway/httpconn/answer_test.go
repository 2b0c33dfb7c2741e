package httpconn

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"testing"
	"testing/iotest"
	"time"
)

// bytesConn is a connection from which input comes, as a reader gives it.
type bytesConn struct {
	net.Conn
	in io.Reader
}

func (b *bytesConn) Read(p []byte) (int, error)  { return b.in.Read(p) }
func (b *bytesConn) Write(p []byte) (int, error) { return len(p), nil }
func (b *bytesConn) SetDeadline(time.Time) error { return nil }
func (b *bytesConn) Close() error                { return nil }
func oursOf(t *testing.T, in io.Reader) (*http.Response, []byte, error) {
	req := post(t, "http://127.0.0.1", "")
	cn := newConn(newClient(t), "x", &bytesConn{in: in})
	resp, err := cn.exchange(req, nil)
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

// theirsOf is what net/http makes of an answer.
func theirsOf(in []byte) (*http.Response, []byte, error) {
	r := bufio.NewReader(bytes.NewReader(in))
	for range maxInterim + 1 {
		resp, err := http.ReadResponse(r, &http.Request{Method: "POST"})
		if err != nil {
			return nil, nil, err
		}
		if resp.StatusCode >= 200 {
			body, err := io.ReadAll(resp.Body)
			return resp, body, err
		}
	}
	return nil, nil, io.ErrUnexpectedEOF
}

// FuzzAnswer holds the reader of answers to net/http's: what ours takes, theirs takes for the
// same, and ours does not depend on how the bytes arrive.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		hello,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nTrailer: x\r\n\r\n",
		"HTTP/1.0 404 Not Found\nx:y\nX: z\n\nbody",
		"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
		"HTTP/1.1 200\r\nContent-Length: 1\r\nContent-Length: 1\r\nTransfer-Encoding: Chunked\r\nConnection: close, x\r\n\r\n1 \r\nx\r\n0\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		ours, body, err := oursOf(t, bytes.NewReader(in))
		slow, slowBody, slowErr := oursOf(t, iotest.OneByteReader(bytes.NewReader(in)))
		if (err == nil) != (slowErr == nil) || !bytes.Equal(body, slowBody) || (err == nil && ours.StatusCode != slow.StatusCode) {
			t.Fatalf("at once %q, %v; byte by byte %q, %v", body, err, slowBody, slowErr)
		}
		if err != nil {
			return
		}
		theirs, theirBody, theirErr := theirsOf(in)
		if theirErr != nil {
			t.Fatalf("net/http refuses it: %v", theirErr)
		}
		if ours.StatusCode != theirs.StatusCode || !bytes.Equal(body, theirBody) {
			t.Fatalf("%d %q, net/http %d %q", ours.StatusCode, body, theirs.StatusCode, theirBody)
		}
		for _, framing := range []string{"Connection", "Content-Length", "Transfer-Encoding", "Trailer"} { // net/http takes some away
			ours.Header.Del(framing)
			theirs.Header.Del(framing)
		}
		if !maps.EqualFunc(ours.Header, theirs.Header, slices.Equal) {
			t.Fatalf("%v, net/http %v", ours.Header, theirs.Header)
		}
	})
}

// BenchmarkStreamEvent reads a stream of small chunks, an event each.
func BenchmarkStreamEvent(b *testing.B) {
	const event = "data: {\"choices\":[\"hello\"]}\n\n"
	chunk := fmt.Appendf(nil, "%x\r\n%s\r\n", len(event), event)
	stream := append([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), bytes.Repeat(chunk, b.N)...)
	cn := newConn(&Client{}, "x", &bytesConn{in: bytes.NewReader(stream)})
	req, _ := http.NewRequest("POST", "http://127.0.0.1", nil)
	resp, err := cn.exchange(req, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	p := make([]byte, 4096)
	for {
		if _, err := resp.Body.Read(p); err == io.ErrUnexpectedEOF {
			return
		} else if err != nil {
			b.Fatal(err)
		}
	}
}

func TestReadingAChunkTakesNoMemory(t *testing.T) {
	const event = "data: {\"choices\":[\"hello\"]}\n\n"
	chunk := fmt.Appendf(nil, "%x\r\n%s\r\n", len(event), event)
	req := post(t, "http://127.0.0.1", "")
	p := make([]byte, 100)
	allocations := func(chunks int) float64 {
		stream := append([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), bytes.Repeat(chunk, chunks)...)
		stream = append(stream, "0\r\n\r\n"...)
		return testing.AllocsPerRun(10, func() {
			cn := newConn(&Client{}, "x", &bytesConn{in: bytes.NewReader(stream)})
			resp, err := cn.exchange(req, nil)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for err == nil {
				var m int
				m, err = resp.Body.Read(p)
				n += m
			}
			if err != io.EOF || n != chunks*len(event) {
				t.Errorf("%d bytes, %v", n, err)
			}
		})
	}
	if few, many := allocations(10), allocations(1010); many != few {
		t.Errorf("ten chunks take %v allocations, a thousand more %v", few, many)
	}
}

func TestAReadFlushesBeforeItWaits(t *testing.T) {
	left := errors.New("the client has left")
	for name, last := range map[string]error{"to the end": io.EOF, "until a flush fails": left} {
		t.Run(name, func(t *testing.T) {
			more := make(chan string, 1)
			s := serve(t, func(conn net.Conn) {
				for text := range more {
					io.WriteString(conn, text)
				}
			})
			more <- "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"
			resp, err := newClient(t).RoundTrip(post(t, s.url, ""))
			if err != nil {
				t.Fatal(err)
			}
			flushed := 0
			flush := func() error { // the server goes on only when it is called
				switch flushed++; {
				case flushed == 1:
					more <- "lo\r\n3\r\nyou\r\n"
				case last == left:
					return left
				default:
					more <- "0\r\n\r\n"
				}
				return nil
			}
			p, text := make([]byte, 2*bufferSize), ""
			for err == nil {
				var n int
				n, err = resp.Body.(interface {
					ReadFlushing([]byte, func() error) (int, error)
				}).ReadFlushing(p, flush)
				if text += string(p[:n]); text == "hel" && flushed > 0 {
					t.Error("it flushed before what was there")
				}
			}
			if text != "helloyou" || err != last || flushed != 2 {
				t.Errorf("read %q and %v, with %d flushes", text, err, flushed)
			}
			close(more)
			resp.Body.Close()
		})
	}
}
