// Package filewatch tells when a file changes, in whichever way an editor writes it.
package filewatch

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

// Follow calls changed once the file at path is watched, and then after each change of it, until ctx
// ends. A watch that ends is told to watched with the reason, begun anew again and again, and told
// with nil when it is back.
func Follow(ctx context.Context, path string, changed func(), watched func(error)) {
	pause := backoff.ExponentialBackOff{
		InitialInterval: 500 * time.Millisecond, Multiplier: 2, RandomizationFactor: 0.2, MaxInterval: 30 * time.Second,
	}
	pause.Reset()
	for {
		err := follow(ctx, path, changed, func() { pause.Reset(); watched(nil) })
		if ctx.Err() != nil {
			return
		}
		watched(err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause.NextBackOff()):
		}
	}
}

// follow watches until ctx ends or the watch does, and calls began when it has begun.
func follow(ctx context.Context, path string, changed, began func()) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer w.Close()
	// The folder, not the file: editors put a new file in the old one's place.
	folder := filepath.Dir(path)
	if err := w.Add(folder); err != nil {
		if errors.Is(err, syscall.ENOSPC) { // the system's words would be "no space left on device"
			return errors.New("the system's limit of watched folders is reached")
		}
		return err
	}
	began()
	changed() // what happened before the watch began
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
			if e.Name == path && !e.Op.Has(fsnotify.Chmod) {
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
			changed()
		}
	}
}
