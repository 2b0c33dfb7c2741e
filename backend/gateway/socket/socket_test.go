package socket

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair is a connection and its other end.
func pair(t *testing.T) (*Socket, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return New(near), far
}

func send(t *testing.T, to net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(to, text); err != nil {
		t.Fatal(err)
	}
}

// expect reads one piece.
func expect(t *testing.T, read func([]byte) (int, error), want string) {
	t.Helper()
	p := make([]byte, 64)
	if n, err := read(p); string(p[:n]) != want || err != nil {
		t.Fatalf("read %q, %v; want %q", p[:n], err, want)
	}
}

func TestRead(t *testing.T) {
	s, far := pair(t)
	send(t, far, "one")
	expect(t, s.Read, "one")
	time.AfterFunc(10*time.Millisecond, func() { far.Write([]byte("two")) }) // so that it has to wait
	expect(t, s.Read, "two")
	if n, err := s.Read(nil); n != 0 || err != nil {
		t.Errorf("no room: read %d, %v", n, err)
	}
	far.Close()
	for range 2 {
		if n, err := s.Read(make([]byte, 8)); n != 0 || err != io.EOF {
			t.Errorf("behind the end: read %d, %v", n, err)
		}
	}
}

func TestIdleIsCalledOnceAndOnlyBeforeAWait(t *testing.T) {
	s, far := pair(t)
	calls := 0
	idle := func() error {
		if calls++; calls == 1 {
			send(t, far, "after")
		}
		return nil
	}
	reading := func(p []byte) (int, error) { return s.ReadIdle(p, idle) }
	expect(t, reading, "after") // which nobody would have sent
	if calls != 1 {
		t.Errorf("called %d times for one wait", calls)
	}
	send(t, far, "there")
	if err := awaitReadable(s); err != nil {
		t.Fatal(err)
	}
	expect(t, reading, "there")
	if calls != 1 {
		t.Errorf("called %d times, though nothing had to be waited for", calls-1)
	}
	own := errors.New("own")
	if n, err := s.ReadIdle(make([]byte, 8), func() error { return own }); n != 0 || err != own {
		t.Errorf("idle failed: read %d, %v", n, err)
	}
	send(t, far, "on") // its error ended that one read and nothing else
	expect(t, s.Read, "on")
}

// awaitReadable waits until something has come, or the end has, and leaves it there.
func awaitReadable(s *Socket) error {
	return s.raw.Read(func(fd uintptr) bool {
		_, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK)
		return err != syscall.EAGAIN
	})
}

func TestPoll(t *testing.T) {
	s, far := pair(t)
	p := make([]byte, 8)
	if n, err := s.Poll(p); n != 0 || err != ErrNothing {
		t.Errorf("before anything came: %d, %v", n, err)
	}
	send(t, far, "one")
	if err := awaitReadable(s); err != nil {
		t.Fatal(err)
	}
	expect(t, s.Poll, "one")
	far.Close()
	if err := awaitReadable(s); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Poll(p); n != 0 || err != io.EOF {
		t.Errorf("behind the end: %d, %v", n, err)
	}
}

// TestEveryByteArrivesInOrder has more on its way than the kernel holds, in pieces of all sizes.
func TestEveryByteArrivesInOrder(t *testing.T) {
	near, other := pair(t)
	far := New(other)
	sent := make([]byte, 24<<20)
	rand.NewChaCha8([32]byte{1}).Read(sent)
	written := make(chan error, 1)
	go func() {
		random := rand.New(rand.NewPCG(1, 2))
		for rest := sent; len(rest) > 0; {
			piece := rest[:min(len(rest), 1+random.IntN(3*atOnce))]
			n, err := near.Write(piece)
			if err != nil || n != len(piece) {
				written <- errors.Join(err, io.ErrShortWrite)
				return
			}
			rest = rest[n:]
		}
		written <- near.nc.Close()
	}()
	time.Sleep(20 * time.Millisecond) // the writer has to wait
	got, err := io.ReadAll(far)
	if err := errors.Join(err, <-written); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, sent) {
		t.Errorf("%d bytes arrived of %d, or others", len(got), len(sent))
	}
}

func TestDeadlinesAndCloseEndWhatWaits(t *testing.T) {
	full := bytes.Repeat([]byte("x"), atOnce)
	for name, c := range map[string]struct {
		wait func(*Socket) error
		end  func(net.Conn)
		want error
	}{
		"read, deadline": {readOne, func(nc net.Conn) { nc.SetReadDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
		"read, close":    {readOne, func(nc net.Conn) { nc.Close() }, net.ErrClosed},
		"poll, deadline": {pollUntilElse, func(nc net.Conn) { nc.SetReadDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
		"poll, close":    {pollUntilElse, func(nc net.Conn) { nc.Close() }, net.ErrClosed},
		"write, deadline": {func(s *Socket) error { return writeUntilElse(s, full) }, func(nc net.Conn) { nc.SetWriteDeadline(time.Unix(1, 0)) },
			os.ErrDeadlineExceeded},
		"write, close": {func(s *Socket) error { return writeUntilElse(s, full) }, func(nc net.Conn) { nc.Close() }, net.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := pair(t)
			time.AfterFunc(10*time.Millisecond, func() { c.end(s.nc) })
			if err := c.wait(s); !errors.Is(err, c.want) {
				t.Errorf("ended by %v, want %v", err, c.want)
			}
		})
	}
}

func readOne(s *Socket) error {
	_, err := s.Read(make([]byte, 8))
	return err
}

func pollUntilElse(s *Socket) error {
	for {
		if _, err := s.Poll(make([]byte, 8)); err != ErrNothing {
			return err
		}
	}
}

func writeUntilElse(s *Socket, p []byte) error {
	for {
		if _, err := s.Write(p); err != nil {
			return err
		}
	}
}

func TestWriteToWhoHasLeft(t *testing.T) {
	s, far := pair(t)
	far.(*net.TCPConn).SetLinger(0)
	far.Close()
	if err := writeUntilElse(s, []byte("x")); !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("ended by %v", err)
	}
}

func TestAConnectionWithoutASocket(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	s := New(near)
	if s.Polls() {
		t.Error("says that it can tell what has come")
	}
	if n, err := s.Poll(make([]byte, 8)); n != 0 || err != io.EOF {
		t.Errorf("poll: %d, %v", n, err)
	}
	go far.Write([]byte("one"))
	calls := 0
	expect(t, func(p []byte) (int, error) { return s.ReadIdle(p, func() error { calls++; return nil }) }, "one")
	if calls != 1 {
		t.Errorf("idle was called %d times", calls)
	}
	own := errors.New("own")
	if _, err := s.ReadIdle(make([]byte, 8), func() error { return own }); err != own {
		t.Errorf("idle failed: %v", err)
	}
	go s.Write([]byte("two"))
	expect(t, far.Read, "two")
}

func TestNothingIsAllocated(t *testing.T) {
	s, far := pair(t)
	p, ping, idle := make([]byte, 64), []byte("ping"), func() error { return nil }
	if n := testing.AllocsPerRun(100, func() {
		s.Poll(p)
		s.Write(ping)
		far.Read(p)
		far.Write(p[:4])
		s.ReadIdle(p, idle)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
