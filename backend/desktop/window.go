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
	return func() error {
		return errors.Join(os.Truncate(h.windowFile(), 0), lock.Unlock()) // the id is to mean no later process
	}, nil
}

// QuitWindow ends the window's process, if there is one, waits for it, and ends the session while
// nobody else can be the window.
func (h *Host) QuitWindow(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, windowTimeout)
	defer cancel()
	lock := flock.New(h.windowFile(), flock.SetPermissions(0o600))
	err := h.takeFromWindow(ctx, lock)
	return errors.Join(err, h.endSession(), lock.Unlock())
}

// takeFromWindow takes the lock, and ends each process that holds it meanwhile: when one window is
// closed, another that was just being opened may take its place.
func (h *Host) takeFromWindow(ctx context.Context, lock *flock.Flock) error {
	tick := time.NewTicker(startPoll)
	defer tick.Stop()
	told := 0
	for {
		if free, err := lock.TryLock(); err != nil {
			return fmt.Errorf("close the window: %w", err)
		} else if free {
			return nil
		}
		pid, err := h.windowPID()
		if err != nil {
			return err
		}
		if pid != 0 && pid != told {
			if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("close the window: %w", err)
			}
			told = pid
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("close the window (process %d): %w", told, ctx.Err())
		}
	}
}

// windowPID is the process that is the window; 0 when it has not said so yet.
func (h *Host) windowPID() (int, error) {
	raw, err := os.ReadFile(h.windowFile())
	text := strings.TrimSpace(string(raw))
	if err != nil || text == "" {
		return 0, err
	}
	pid, err := strconv.Atoi(text)
	if err != nil || pid <= 0 {
		return 0, fmt.Errorf("close the window: %s holds %q, which is no process id", h.windowFile(), raw)
	}
	return pid, nil
}
