package httpconn

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// hangUp closes a connection in the place of an answer.
func hangUp(conn net.Conn) { conn.Close() }

func TestADeadConnectionIsNoticedAndOnlyWhatMayBeRepeatedIsAskedAnew(t *testing.T) {
	s := serve(t, say(hello), hangUp)
	c := newClient(t)
	if _, err := ask(c, post(t, s.url, "")); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(c, post(t, s.url, "once")); err == nil {
		t.Fatal("a request that may not be repeated was answered")
	}
	if _, requests := s.count(); requests != 2 {
		t.Fatalf("it was sent %d times", requests-1)
	}

	if _, err := ask(c, post(t, s.url, "")); err != nil {
		t.Fatal(err)
	}
	req := post(t, s.url, "twice")
	req.Header["Idempotency-Key"] = nil
	if body, err := ask(c, req); err != nil || body != "hello" {
		t.Fatalf("%q, %v", body, err)
	}
	if _, requests := s.count(); requests != 5 {
		t.Errorf("it was sent %d times", requests-3)
	}
}

func TestARequestThatANewConnectionDoesNotAnswerIsNotRepeated(t *testing.T) {
	s := serve(t, hangUp)
	req := post(t, s.url, "")
	req.Header["Idempotency-Key"] = nil
	if _, err := ask(newClient(t), req); err == nil {
		t.Fatal("answered")
	}
	if _, requests := s.count(); requests != 1 {
		t.Errorf("it was sent %d times", requests)
	}
}

func TestAConnectionThatTheServerClosedWhileItWasIdleIsNotUsed(t *testing.T) {
	closed := make(chan struct{})
	s := serve(t, func(conn net.Conn) { io.WriteString(conn, hello); conn.Close(); close(closed) })
	c := newClient(t)
	if _, err := ask(c, post(t, s.url, "")); err != nil {
		t.Fatal(err)
	}
	<-closed
	closed = make(chan struct{})
	if body, err := ask(c, post(t, s.url, "")); err != nil || body != "hello" {
		t.Fatalf("%q, %v", body, err)
	}
}

// rest answers with a stream whose last bytes come when it is told.
func rest(come <-chan struct{}, came chan<- struct{}) turn {
	return func(conn net.Conn) {
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndone\r\n")
		<-come
		io.WriteString(conn, "3\r\n...\r\n0\r\n\r\n")
		came <- struct{}{}
	}
}

func TestAnAnswerThatIsLeftBeforeItsEndLeavesAConnectionThatCanBeUsedOnceItHasCome(t *testing.T) {
	for name, early := range map[string]bool{"it came": true, "it did not": false} {
		t.Run(name, func(t *testing.T) {
			come, came := make(chan struct{}), make(chan struct{}, 2)
			s := serve(t, rest(come, came), say(hello))
			c := newClient(t)
			resp, err := c.RoundTrip(post(t, s.url, ""))
			if err != nil {
				t.Fatal(err)
			}
			var b [4]byte
			if _, err := io.ReadFull(resp.Body, b[:]); err != nil {
				t.Fatal(err)
			}
			Whole(resp.Body)
			resp.Body.Close()
			if n, err := resp.Body.Read(b[:]); n != 0 || err == nil {
				t.Errorf("%d bytes after it was closed", n)
			}
			want := 1
			if early {
				close(come)
				<-came
			} else {
				want = 2
			}
			req, answered := post(t, s.url, ""), make(chan error, 1)
			go func() { _, err := ask(c, req); answered <- err }()
			if !early { // the new connection begins with the same story
				for n, _ := s.count(); n < 2; n, _ = s.count() {
					time.Sleep(time.Millisecond)
				}
				close(come)
			}
			if err := <-answered; err != nil {
				t.Fatal(err)
			}
			if connections, _ := s.count(); connections != want {
				t.Errorf("%d connections, want %d", connections, want)
			}
		})
	}
}

func TestTheEndOfTheContextEndsEveryWait(t *testing.T) {
	for name, first := range map[string]string{"before the answer": "", "in its head": "HTTP/1.1 200", "in its body": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(conn net.Conn) { io.WriteString(conn, first); io.Copy(io.Discard, conn) })
			c := newClient(t)
			ctx, cancel := context.WithCancel(t.Context())
			req := post(t, s.url, "").WithContext(ctx)
			failed := make(chan error, 1)
			go func() { _, err := ask(c, req); failed <- err }()
			for _, n := s.count(); n == 0; _, n = s.count() {
				time.Sleep(time.Millisecond)
			}
			cancel()
			if err := <-failed; err == nil {
				t.Error("answered")
			}
			if len(c.idle) > 0 && len(c.idle[s.url[len("http://"):]]) > 0 {
				t.Error("its connection was kept")
			}
		})
	}
}

func TestConnectionsAreKeptForATimeAndNotTooMany(t *testing.T) {
	go1 := make(chan struct{})
	s := serve(t, func(conn net.Conn) { <-go1; io.WriteString(conn, hello) }, say(hello))
	c := newClient(t)
	c.MaxIdle = 2
	var all sync.WaitGroup
	for range 4 {
		req := post(t, s.url, "")
		all.Go(func() {
			if _, err := ask(c, req); err != nil {
				t.Error(err)
			}
		})
	}
	for n := 0; n < 4; n, _ = s.count() {
		time.Sleep(time.Millisecond)
	}
	close(go1)
	all.Wait()
	kept := func() int { c.mu.Lock(); defer c.mu.Unlock(); return len(c.idle[s.url[len("http://"):]]) }
	if n := kept(); n != 2 {
		t.Errorf("%d connections are kept", n)
	}
	c.mu.Lock()
	for _, cn := range c.idle[s.url[len("http://"):]] {
		cn.idleSince = cn.idleSince.Add(-c.IdleTime)
	}
	c.mu.Unlock()
	c.closeOld()
	if n := kept(); n != 0 || c.sweep != nil {
		t.Errorf("%d connections are kept after their time", n)
	}
}

func TestAnAnswerThatIsLeftBeforeItsEndIsCutOff(t *testing.T) {
	cut := make(chan error, 1)
	s := serve(t, func(conn net.Conn) {
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmore\r\n")
		_, err := conn.Read(make([]byte, 1))
		cut <- err
	})
	c := newClient(t)
	resp, err := c.RoundTrip(post(t, s.url, ""))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if err := <-cut; err == nil {
		t.Error("the server was sent something more")
	}
}
