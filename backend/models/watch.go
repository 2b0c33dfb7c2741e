package models

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// settle is how long after a change the folders are looked at: what is copied comes in many steps.
	settle = 100 * time.Millisecond
	// settleArriving is that while a file arrives, which changes all the time.
	settleArriving = time.Second
	// lookAgain is when folders are looked at of whose changes nobody tells.
	lookAgain = 30 * time.Second
	never     = 1000 * time.Hour
	// maxWatched bounds the folders that are watched; the system has limits of its own.
	maxWatched = 2048
)

var errUnwatched = fmt.Errorf("the system does not watch all folders of models; they are looked at every %v", lookAgain)

// Look has Watch look now, such as after the added folders are others.
func (l *Library) Look() {
	select {
	case l.nudge <- struct{}{}:
	default:
	}
}

// Watch calls changed with what there is at first, and then whenever that has become something else,
// until ctx ends. Folders that cannot be watched are looked at now and then. failed hears why they
// cannot, or why the models folder cannot be read, and nil when that is over.
func (l *Library) Watch(ctx context.Context, changed func(Contents), failed func(error)) {
	w := &watch{library: l, changed: changed, failed: failed, watched: map[string]bool{}}
	events, errs := w.open()
	if w.notify != nil {
		defer w.notify.Close()
	}
	w.timer = time.NewTimer(0)
	defer w.timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-events:
			if e.Op != fsnotify.Chmod {
				w.forget(e)
				w.soon(w.pause())
			}
		case <-errs: // some events are lost; look
			w.soon(w.pause())
		case <-l.nudge:
			w.soon(0)
		case <-w.timer.C:
			w.look()
		}
	}
}

// watch is one Watch.
type watch struct {
	library *Library
	changed func(Contents)
	failed  func(error)

	notify  *fsnotify.Watcher // nil where there is none to be had
	watched map[string]bool
	timer   *time.Timer
	due     time.Time // when timer fires
	told    *Contents // what changed was called with last, as settled has it
	why     string    // what failed was called with last
}

func (w *watch) open() (<-chan fsnotify.Event, <-chan error) {
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, nil // told with the first look
	}
	w.notify = notify
	return notify.Events, notify.Errors
}

// soon has the folders looked at after a while, or at the time that was agreed on already.
func (w *watch) soon(after time.Duration) {
	if at := time.Now().Add(after); at.Before(w.due) {
		w.due = at
		w.timer.Reset(after)
	}
}

func (w *watch) pause() time.Duration {
	if w.told != nil && slices.ContainsFunc(w.told.Broken, func(b *BrokenError) bool { return b.Arriving }) {
		return settleArriving
	}
	return settle
}

// forget drops a folder that is gone or was renamed: the system does not watch it any more.
func (w *watch) forget(e fsnotify.Event) {
	if e.Op&(fsnotify.Remove|fsnotify.Rename) != 0 && w.watched[e.Name] {
		delete(w.watched, e.Name)
		_ = w.notify.Remove(e.Name) // it may be there under another name; no matter if it is not
	}
}

func (w *watch) look() {
	contents, read, err := w.library.scan()
	added, unwatched := false, error(nil)
	for err == nil { // what happened before a folder was watched does not show: look again
		if added, unwatched = w.follow(read); !added {
			break
		}
		contents, read, err = w.library.scan()
	}
	w.fail(cmp.Or(err, unwatched))
	next := never
	if err != nil || unwatched != nil || slices.ContainsFunc(read, func(dir string) bool { return !w.watched[dir] }) {
		next = lookAgain
	}
	if err == nil {
		if now := settled(contents); w.told == nil || !reflect.DeepEqual(*w.told, now) {
			w.told = &now
			w.changed(contents)
		}
		if w.pause() == settleArriving { // it may stay as it is, and is broken then
			next = min(next, quiet+time.Second)
		}
	}
	w.due = time.Now().Add(next)
	w.timer.Reset(next)
}

// settled is what counts as a change: not how far a file is that arrives.
func settled(c Contents) Contents {
	c.Broken = slices.Clone(c.Broken)
	for i, b := range c.Broken {
		if b.Arriving {
			same := *b
			same.Problem = ""
			c.Broken[i] = &same
		}
	}
	return c
}

// follow watches the folders that were read and no others. Those that are not there are no error.
func (w *watch) follow(read []string) (added bool, err error) {
	if w.notify == nil {
		return false, errUnwatched
	}
	for dir := range w.watched {
		if !slices.Contains(read, dir) {
			_ = w.notify.Remove(dir) // it has gone, most likely
			delete(w.watched, dir)
		}
	}
	for _, dir := range read {
		if w.watched[dir] {
			continue
		}
		if len(w.watched) >= maxWatched {
			return added, errUnwatched
		}
		switch err := w.notify.Add(dir); {
		case err == nil:
			w.watched[dir], added = true, true
		case !errors.Is(err, os.ErrNotExist):
			return added, fmt.Errorf("%w: %w", errUnwatched, err)
		}
	}
	return added, nil
}

// fail tells failed of an error once, and of its end.
func (w *watch) fail(err error) {
	why := ""
	if err != nil {
		why = err.Error()
	}
	if why != w.why {
		w.why = why
		w.failed(err)
	}
}
