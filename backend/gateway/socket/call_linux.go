//go:build linux && !race && !msan && !asan

package socket

import (
	"syscall"
	"unsafe"
)

func read(fd int, p []byte) (int, error)  { return call(syscall.SYS_READ, fd, p) }
func write(fd int, p []byte) (int, error) { return call(syscall.SYS_WRITE, fd, p) }

// call makes the call of the system and tells the scheduler nothing.
func call(number uintptr, fd int, p []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(number, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(min(len(p), atOnce)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// Wake has the scheduler look after the goroutine, which is about to compute for more than a moment.
func Wake() { syscall.Syscall(syscall.SYS_GETPID, 0, 0, 0) }
