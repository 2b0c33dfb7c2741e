package desktop

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"
)

// Requests may take 30 seconds to finish, and the audit is flushed after them.
const stopTimeout = 45 * time.Second

// Stop drains the server because a person wants it stopped: it stays stopped until Start, also
// when the tray comes up anew.
func (h *Host) Stop(ctx context.Context) error {
	if err := h.Paths.EnsureDirs(); err != nil {
		return err
	}
	if err := os.WriteFile(h.Paths.Stopped, nil, 0o600); err != nil {
		return fmt.Errorf("note that the server is stopped on purpose: %w", err)
	}
	return h.Drain(ctx)
}

// Drain ends the server and waits until it is gone; the next Ensure starts it again.
func (h *Host) Drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	s, err := h.Find(ctx)
	if errors.Is(err, ErrNotRunning) {
		return nil
	}
	if err != nil {
		return err
	}
	resp, err := h.request(ctx, http.MethodPost, s, "/api/shutdown")
	if err == nil {
		err = discard(resp, http.StatusAccepted)
	}
	if err != nil && alive(s) {
		return fmt.Errorf("stop the server: %w", err)
	}
	tick := time.NewTicker(startPoll)
	defer tick.Stop()
	for alive(s) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the server (process %d) is still finishing its requests: %w", s.PID, ctx.Err())
		}
	}
	return nil
}

// StoppedOnPurpose says whether a person stopped the server and has not started it since.
func (h *Host) StoppedOnPurpose() bool {
	_, err := os.Stat(h.Paths.Stopped)
	return err == nil
}

func (h *Host) unmarkStopped() error {
	if err := os.Remove(h.Paths.Stopped); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("forget that the server was stopped on purpose: %w", err)
	}
	return nil
}

// Ensure is Start, unless the server was stopped on purpose: then it is ErrNotRunning.
func (h *Host) Ensure(ctx context.Context) (Server, error) {
	if h.StoppedOnPurpose() {
		return Server{}, fmt.Errorf("%w: it was stopped on purpose", ErrNotRunning)
	}
	return h.Start(ctx)
}
