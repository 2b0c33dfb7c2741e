package desktop

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

const windowTimeout = 10 * time.Second

func (h *Host) windowFile() string { return h.Paths.Run + "/window.pid" }

// HoldWindow notes that this process is the window, until it ends or calls release. The lock on
// the file, not its text, says whether the window is there: the kernel takes it back from a process
// that dies, however it dies.
func (h *Host) HoldWindow(ctx context.Context) (release func() error, err error) {
	ctx, cancel := context.WithTimeout(ctx, windowTimeout)
	defer cancel()
	lock := flock.New(h.windowFile(), flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, startPoll); err != nil {
		return nil, fmt.Errorf("note the window: %w", err)
	}
	if err := os.WriteFile(h.windowFile(), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("note the window: %w", err), lock.Unlock())
	}
	return lock.Unlock, nil
}

// CloseWindow ends the window's process, if there is one, and waits for it.
func (h *Host) CloseWindow(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, windowTimeout)
	defer cancel()
	lock := flock.New(h.windowFile(), flock.SetPermissions(0o600))
	free, err := lock.TryLock()
	if err != nil {
		return fmt.Errorf("close the window: %w", err)
	}
	if !free {
		raw, err := os.ReadFile(h.windowFile())
		if err != nil {
			return fmt.Errorf("close the window: %w", err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
		if err != nil || pid <= 0 {
			return fmt.Errorf("close the window: %s holds %q, which is no process id", h.windowFile(), raw)
		}
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
			return fmt.Errorf("close the window: %w", err)
		}
		if _, err := lock.TryLockContext(ctx, startPoll); err != nil {
			return fmt.Errorf("close the window (process %d): %w", pid, err)
		}
	}
	if err := lock.Unlock(); err != nil {
		return fmt.Errorf("close the window: %w", err)
	}
	return nil
}
