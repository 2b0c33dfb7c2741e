// Package logind is systemd-logind as far as it hands out locks against sleep, on a bus of a test's own: each
// is the end of a pipe, and let go when whoever has it closes it or ends.
package logind

import (
	"io"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"
)

// Lock is what somebody asked for.
type Lock struct{ What, Who, Why, Mode string }

// Logind hands out locks.
type Logind struct {
	t    testing.TB
	conn *dbus.Conn

	mu     sync.Mutex
	held   []*Lock
	given  int
	refuse bool
	work   sync.WaitGroup
}

// Start takes logind's name on the bus at address, until the test ends.
func Start(t testing.TB, address string) *Logind {
	t.Helper()
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	l := &Logind{t: t, conn: conn}
	if _, err := conn.RequestName("org.freedesktop.login1", 0); err != nil {
		t.Fatal(err)
	}
	calls := make(chan *dbus.Message, 16)
	conn.Eavesdrop(calls) // a reply of one's own is the only way to know when a descriptor was sent
	l.work.Go(func() {
		for m := range calls {
			if m.Type == dbus.TypeMethodCall {
				l.answer(m)
			}
		}
	})
	t.Cleanup(func() {
		conn.Eavesdrop(nil)
		conn.Close()
		close(calls)
		l.work.Wait()
	})
	return l
}

// Refuse has every later request refused.
func (l *Logind) Refuse(yes bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refuse = yes
}

// Held are the locks that somebody has.
func (l *Logind) Held() (held []Lock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.held {
		held = append(held, *k)
	}
	return held
}

// Given is how many locks were handed out so far.
func (l *Logind) Given() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.given
}

func (l *Logind) answer(call *dbus.Message) {
	reply := &dbus.Message{Type: dbus.TypeMethodReply, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldReplySerial: dbus.MakeVariant(call.Serial()),
		dbus.FieldDestination: call.Headers[dbus.FieldSender],
	}}
	var lock Lock
	l.mu.Lock()
	refuse := l.refuse
	l.mu.Unlock()
	if err := dbus.Store(call.Body, &lock.What, &lock.Who, &lock.Why, &lock.Mode); err != nil || refuse {
		reply.Type = dbus.TypeError
		reply.Headers[dbus.FieldErrorName] = dbus.MakeVariant("org.freedesktop.DBus.Error.AccessDenied")
		l.conn.Send(reply, nil)
		return
	}
	r, w, err := os.Pipe()
	if err != nil {
		l.t.Error(err)
		return
	}
	l.mu.Lock()
	l.held, l.given = append(l.held, &lock), l.given+1
	l.mu.Unlock()
	reply.Body = []any{dbus.UnixFD(w.Fd())}
	reply.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(reply.Body...))
	if sent := l.conn.Send(reply, nil); sent != nil && sent.Err != nil {
		l.t.Error(sent.Err)
	}
	w.Close() // the one who asked has its own
	l.work.Go(func() {
		defer r.Close()
		io.Copy(io.Discard, r) // which ends when the last one closes it
		l.mu.Lock()
		defer l.mu.Unlock()
		l.held = slices.DeleteFunc(l.held, func(k *Lock) bool { return k == &lock })
	})
}
