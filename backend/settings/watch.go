package settings

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/fsnotify/fsnotify"
)

// settle is how long a file must rest before it is read: editors write in steps.
const settle = 100 * time.Millisecond

// UnwatchedError is the Problem of a file that cannot be watched at present.
type UnwatchedError struct{ Cause error }

func (e *UnwatchedError) Error() string {
	return fmt.Sprintf("Edits of settings.json by hand take no effect at present, because its folder cannot be watched (%v); mlxbar tries again and again", e.Cause)
}

// Unwrap gives the cause.
func (e *UnwatchedError) Unwrap() error { return e.Cause }

// Watch puts edits of the file in force until ctx ends. An edit that is refused
// shows in Problem and the settings in force stay. A watch that ends shows there as
// an *UnwatchedError until it is back.
func (m *Manager) Watch(ctx context.Context) {
	pause := backoff.ExponentialBackOff{
		InitialInterval: 500 * time.Millisecond, Multiplier: 2, RandomizationFactor: 0.2, MaxInterval: 30 * time.Second,
	}
	pause.Reset()
	for {
		err := m.watch(ctx, pause.Reset)
		if ctx.Err() != nil {
			return
		}
		m.setUnwatched(&UnwatchedError{err})
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause.NextBackOff()):
		}
	}
}

// watch watches until ctx ends or the watch does, and calls began when it has begun.
func (m *Manager) watch(ctx context.Context, began func()) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer w.Close()
	// The folder, not the file: editors put a new file in the old one's place.
	folder := filepath.Dir(m.path)
	if err := w.Add(folder); err != nil {
		if errors.Is(err, syscall.ENOSPC) { // the system's words would be "no space left on device"
			return errors.New("the system's limit of watched folders is reached")
		}
		return err
	}
	began()
	m.setUnwatched(nil)
	m.reload() // what changed before the watch began
	rest := time.NewTimer(settle)
	defer rest.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-w.Events:
			if !ok {
				return errors.New("the watch has ended")
			}
			if e.Name == folder && e.Op&(fsnotify.Remove|fsnotify.Rename) != 0 {
				return fmt.Errorf("the folder %s is gone", folder)
			}
			if e.Name == m.path && !e.Op.Has(fsnotify.Chmod) {
				rest.Reset(settle)
			}
		case err, ok := <-w.Errors:
			if !ok {
				return errors.New("the watch has ended")
			}
			if errors.Is(err, fsnotify.ErrEventOverflow) {
				rest.Reset(settle) // some events are lost; look
				continue
			}
			return err
		case <-rest.C:
			m.reload()
		}
	}
}
