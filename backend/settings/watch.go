package settings

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long a file must rest before it is read: editors write in steps.
const settle = 100 * time.Millisecond

// Watch puts edits of the file in force until ctx ends. An edit that is refused
// shows in Problem and the settings in force stay. It returns nil at ctx's end.
func (m *Manager) Watch(ctx context.Context) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch settings: %w", err)
	}
	defer w.Close()
	// The folder, not the file: editors put a new file in the old one's place.
	if err := w.Add(filepath.Dir(m.path)); err != nil {
		return fmt.Errorf("watch settings: %w", err)
	}
	m.reload() // what changed before the watch began
	rest := time.NewTimer(settle)
	defer rest.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-w.Events:
			if !ok {
				return errors.New("watch settings: the watch has ended")
			}
			if e.Name == filepath.Dir(m.path) && e.Op&(fsnotify.Remove|fsnotify.Rename) != 0 {
				return fmt.Errorf("watch settings: the folder %s is gone", e.Name)
			}
			if e.Name == m.path && !e.Op.Has(fsnotify.Chmod) {
				rest.Reset(settle)
			}
		case err, ok := <-w.Errors:
			if !ok {
				return errors.New("watch settings: the watch has ended")
			}
			if errors.Is(err, fsnotify.ErrEventOverflow) {
				rest.Reset(settle) // some events are lost; look
				continue
			}
			return fmt.Errorf("watch settings: %w", err)
		case <-rest.C:
			m.reload()
		}
	}
}
