package awake

import (
	"context"
	"fmt"
	"syscall"

	"github.com/godbus/dbus/v5"
)

// hold takes a lock of systemd-logind's against idle sleep: a file descriptor, which the kernel closes with this
// process. Who closes the lid or chooses to suspend is not kept from it.
func hold(ctx context.Context) (release func() error, err error) {
	bus, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("the system's bus: %w", err)
	}
	defer bus.Close()
	var lock dbus.UnixFD
	call := bus.Object("org.freedesktop.login1", "/org/freedesktop/login1").
		CallWithContext(ctx, "org.freedesktop.login1.Manager.Inhibit", 0, "idle", "mlxbar", "A model is answering", "block")
	if err := call.Store(&lock); err != nil {
		return nil, fmt.Errorf("systemd-logind: %w", err)
	}
	return func() error { return syscall.Close(int(lock)) }, nil
}
