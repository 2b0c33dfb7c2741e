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
	return New(near, &Traffic{}), far
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
	// A wait may end with nothing there, and goes on then.
	s.in.start(make([]byte, 8))
	s.in.idle = func() error { calls++; return nil }
	s.raw.Control(func(fd uintptr) {
		if s.in.read(fd) || s.in.read(fd) {
			t.Error("read something where nothing was")
		}
	})
	if calls != 2 {
		t.Errorf("called %d times for one wait in two parts", calls-1)
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
	far := New(other, &Traffic{})
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

// TestAWriteThatFailsSaysHowMuchWasSent: of a request of which nothing was, another connection can be tried.
func TestAWriteThatFailsSaysHowMuchWasSent(t *testing.T) {
	s, far := pair(t)
	time.AfterFunc(10*time.Millisecond, func() { s.nc.SetWriteDeadline(time.Unix(1, 0)) })
	said := 0
	for err := error(nil); err == nil; {
		var n int
		n, err = s.Write(bytes.Repeat([]byte("x"), atOnce))
		said += n
	}
	s.nc.Close()
	if arrived, err := io.Copy(io.Discard, far); err != nil || int(arrived) != said {
		t.Errorf("said %d bytes, and %d arrived, %v", said, arrived, err)
	}
}

// TestErrorsAreThoseOfTheConnection holds them against what its own Read and Write say.
func TestErrorsAreThoseOfTheConnection(t *testing.T) {
	for name, spoil := range map[string]func(near, far net.Conn){
		"deadline": func(near, _ net.Conn) { near.SetDeadline(time.Unix(1, 0)) },
		"closed":   func(near, _ net.Conn) { near.Close() },
		"reset": func(near, far net.Conn) {
			far.(*net.TCPConn).SetLinger(0)
			far.Close()
			near.Read(make([]byte, 1)) // so that it is known of
		},
	} {
		s, far := pair(t)
		spoil(s.nc, far)
		p := []byte("x")
		for call, pair := range map[string][2]func([]byte) (int, error){"read": {s.Read, s.nc.Read}, "write": {s.Write, s.nc.Write}} {
			_, got := pair[0](p)
			_, want := pair[1](p)
			if got == nil || want == nil || got.Error() != want.Error() {
				t.Errorf("%s, %s: %v, the connection's own %v", name, call, got, want)
			}
		}
	}
}

// TestManyRequestsAreWrittenTheOrdinaryWay counts, for which way a write took cannot be seen.
func TestManyRequestsAreWrittenTheOrdinaryWay(t *testing.T) {
	s, far := pair(t)
	for range few {
		s.traffic.Begin()
	}
	if s.traffic.dense() {
		t.Errorf("%d requests are many", few)
	}
	s.traffic.Begin()
	if !s.traffic.dense() {
		t.Errorf("%d requests are few", few+1)
	}
	if n, err := s.Write([]byte("one")); n != 3 || err != nil {
		t.Errorf("wrote %d, %v", n, err)
	}
	expect(t, far.Read, "one")
	for range few + 1 {
		s.traffic.End()
	}
	if n := s.traffic.requests.Load(); n != 0 {
		t.Errorf("%d requests are left", n)
	}
}

func TestAConnectionWithoutASocket(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	s := New(near, &Traffic{})
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
