package session

import (
	"syscall"
	"time"
)

const (
	held = 40 * time.Millisecond
	let  = 5 * time.Millisecond
)

// Hamper lets the program with this id run for a ninth of the time only, until release is called: what it does
// then takes a while on the fastest machine.
func (s *Session) Hamper(pid int) (release func()) {
	s.t.Helper()
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if syscall.Kill(pid, syscall.SIGSTOP) != nil { // it has gone
				return
			}
			time.Sleep(held)
			if syscall.Kill(pid, syscall.SIGCONT) != nil {
				return
			}
			select {
			case <-done:
				return
			case <-time.After(let):
			}
		}
	}()
	return func() { close(done); <-ended }
}
