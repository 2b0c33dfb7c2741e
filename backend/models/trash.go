package models

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// UndoTime is how long a removed model can be had back.
const UndoTime = 10 * time.Second

// trashFolder is where removed models lie until then: on the same disk, and hidden, so that the library does not show it.
const trashFolder = ".trash"

var (
	// ErrNothingToRestore says that no model of that name can be had back.
	ErrNothingToRestore = errors.New("no model of that name can be had back any more")
	// ErrAmbiguous says that several broken files have the same name.
	ErrAmbiguous = errors.New("several files that cannot be used have that name; remove them in the models folder")
	// ErrTaken says that a file of the same name has come meanwhile.
	ErrTaken = errors.New("the models folder has a file of the same name by now")
)

// Trash takes models out of a library's own folder: out of sight at once, and for good after UndoTime or when Run ends.
type Trash struct {
	library *Library
	wake    chan struct{}

	mu   sync.Mutex
	last int
	kept []removed // the oldest first
}

// removed is a model that can be had back.
type removed struct {
	name, dir string
	moves     []move
	until     time.Time
}

type move struct{ from, to string }

// NewTrash makes the trash of a library. Run empties it.
func NewTrash(l *Library) *Trash { return &Trash{library: l, wake: make(chan struct{}, 1)} }

// Remove takes the model of that name out of the library, or what is broken under that name, and gives until when it can
// be had back.
func (t *Trash) Remove(name string, broken bool, now time.Time) (time.Time, error) {
	files, err := t.find(CleanName(name), broken)
	if err != nil {
		return time.Time{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	r := removed{name: CleanName(name), dir: filepath.Join(t.library.dir, trashFolder, strconv.FormatInt(now.UnixNano(), 36)+"-"+strconv.Itoa(t.last)), until: now.Add(UndoTime)}
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return time.Time{}, fmt.Errorf("make room for a removed model: %w", err)
	}
	for _, file := range files {
		r.moves = append(r.moves, move{file, filepath.Join(r.dir, filepath.Base(file))})
	}
	if err := moveAll(r.moves); err != nil {
		return time.Time{}, errors.Join(err, os.RemoveAll(r.dir))
	}
	t.kept = append(t.kept, r)
	t.look()
	return r.until, nil
}

func (t *Trash) find(name string, broken bool) ([]string, error) {
	all, err := t.library.Contents()
	if err != nil {
		return nil, err
	}
	found := []Model{}
	if broken {
		for _, b := range all.Broken {
			if b.Name == name && b.Folder == t.library.dir {
				found = append(found, Model{Path: b.Path})
			}
		}
	} else {
		for _, m := range all.Models {
			if m.Name == name {
				found = append(found, m)
			}
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("%w: %q", ErrUnknown, name)
	case 1:
		return all.FilesOf(t.library.dir, found[0])
	}
	return nil, ErrAmbiguous
}

// Restore brings back what was removed last under a name. Nothing that is there by now is written over.
func (t *Trash) Restore(name string, now time.Time) error {
	name = CleanName(name)
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := len(t.kept) - 1; i >= 0; i-- {
		r := t.kept[i]
		if r.name != name || !now.Before(r.until) {
			continue
		}
		back := []move{}
		for _, m := range r.moves {
			if _, err := os.Lstat(m.from); err == nil {
				return ErrTaken
			}
			back = append(back, move{m.to, m.from})
		}
		if err := os.MkdirAll(filepath.Dir(r.moves[0].from), 0o700); err != nil {
			return fmt.Errorf("bring a removed model back: %w", err)
		}
		if err := moveAll(back); err != nil {
			return err
		}
		t.kept = append(t.kept[:i:i], t.kept[i+1:]...)
		return os.RemoveAll(r.dir)
	}
	return ErrNothingToRestore
}

// moveAll renames all or nothing.
func moveAll(moves []move) error {
	for i, m := range moves {
		if err := os.Rename(m.from, m.to); err != nil {
			err = fmt.Errorf("move a model's file: %w", err)
			for _, done := range moves[:i] {
				err = errors.Join(err, os.Rename(done.to, done.from))
			}
			return err
		}
	}
	return nil
}

// Run removes for good what can no longer be had back, what an earlier run left included, until ctx ends; then the rest.
func (t *Trash) Run(ctx context.Context, log *slog.Logger) {
	for {
		next, err := t.empty(time.Now(), ctx.Err() != nil)
		if err != nil {
			log.Error("removed models could not be cleared away", "cause", err)
		}
		if ctx.Err() != nil {
			return
		}
		timer := time.NewTimer(next)
		select {
		case <-timer.C:
		case <-t.wake:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// idle is how long Run sleeps when there is nothing to remove.
const idle = time.Hour

// empty removes what is due, or all, and gives how long it is until there is more to do.
func (t *Trash) empty(now time.Time, all bool) (time.Duration, error) {
	trash := filepath.Join(t.library.dir, trashFolder)
	t.mu.Lock()
	keep, next := map[string]bool{}, idle
	left := t.kept[:0:0]
	for _, r := range t.kept {
		// A clock that was set back must not keep a model for much longer.
		if wait := r.until.Sub(now); !all && wait > 0 && wait <= UndoTime {
			left, next = append(left, r), min(next, wait)
			keep[r.dir] = true
		}
	}
	t.kept = left
	entries, err := os.ReadDir(trash)
	t.mu.Unlock()
	if errors.Is(err, os.ErrNotExist) {
		return next, nil
	}
	errs := []error{err}
	for _, e := range entries {
		if dir := filepath.Join(trash, e.Name()); !keep[dir] {
			errs = append(errs, os.RemoveAll(dir))
		}
	}
	if len(keep) == 0 {
		os.Remove(trash) // only if it is empty
	}
	return next, errors.Join(errs...)
}

// look has Run look again.
func (t *Trash) look() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}
