package testkit

import (
	"fmt"
	"syscall"
	"testing"
)

// Nobody gives an address of this machine at which nobody listens, and nobody will until the test ends: an address
// that was only let go of may be another program's a moment later.
func Nobody(t testing.TB) (address string) {
	t.Helper()
	syscall.ForkLock.RLock() // so that no program inherits it
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", bound.(*syscall.SockaddrInet4).Port)
}
