//go:build !linux || race

package socket

import "syscall"

var (
	read  = syscall.Read
	write = syscall.Write
)
