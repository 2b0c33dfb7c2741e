package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/renameio/v2"
)

// Manager holds the settings in force. A change is parsed, validated, prepared by
// those who have to and may refuse it, written, and only then announced. It is safe
// for concurrent use.
type Manager struct {
	path    string // the file itself, past any symbolic link
	current atomic.Pointer[Settings]

	mu        sync.Mutex      // one change at a time; hooks run with it held
	written   []byte          // what the file held when last read or written
	refused   error           // why the file as it stands is not in force
	unwatched *UnwatchedError // why edits of it are not seen
	hooks     sync.Mutex      // guards the three below
	prepared  []*hook[preparation]
	subs      []*hook[func(old, new Settings)]
	problems  []*hook[func(error)]

	problem atomic.Pointer[error] // of refused and unwatched
}

// preparation makes a change possible, or refuses it. undo, which may be nil, is called when
// the change does not come about after all.
type preparation = func(old, new Settings) (undo func(), err error)

// hook is a function that somebody gave. Its mutex is held while it runs, so that
// who takes it away can wait for that.
type hook[F any] struct {
	f       F
	mu      sync.Mutex
	removed bool
}

func (h *hook[F]) run(call func(F)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.removed {
		call(h.f)
	}
}

func (h *hook[F]) remove() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.removed = true
}

// Open reads the settings at path. A file that is missing is made from the
// defaults, so that people have something to edit; one that is invalid is an
// *Invalid, wrapped. Its schema is written beside it.
func Open(path string) (*Manager, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find settings: %w", err)
	}
	m := &Manager{path: path}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		m.path = real // else there is no file yet
	}
	schema := filepath.Join(filepath.Dir(path), filepath.Base(schemaRef))
	if old, err := os.ReadFile(schema); err != nil || !bytes.Equal(old, Schema()) {
		if err := renameio.WriteFile(schema, Schema(), 0o600); err != nil {
			return nil, fmt.Errorf("write the schema of the settings: %w", err)
		}
	}
	raw, err := os.ReadFile(m.path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := m.store(Defaults()); err != nil {
			return nil, err
		}
		return m, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	s, err := Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	m.written = raw
	m.current.Store(&s)
	return m, nil
}

// Path is the file.
func (m *Manager) Path() string { return m.path }

// Current is the settings in force. Its lists are shared and must not be changed.
func (m *Manager) Current() Settings { return *m.current.Load() }

// Problem tells why the file as it stands was refused, or that edits of it are not
// seen (*UnwatchedError); nil when all is well.
func (m *Manager) Problem() error {
	if p := m.problem.Load(); p != nil {
		return *p
	}
	return nil
}

// Replace puts raw, a whole settings document, in force and returns it.
func (m *Manager) Replace(raw []byte) (Settings, error) {
	return m.change(func(Settings) (Settings, error) { return Parse(raw) })
}

// Patch changes some fields by a JSON merge patch (RFC 7396); null sets a field
// back to its default. It returns the settings then in force.
func (m *Manager) Patch(raw []byte) (Settings, error) {
	return m.change(func(old Settings) (Settings, error) { return mergePatch(old, raw) })
}

// Edit changes the settings in force by a function, which is given a copy whose lists of providers and routes are its own.
// What it makes of them is held to the same rules as a document, and its own error leaves all as it is.
func (m *Manager) Edit(edit func(*Settings) error) (Settings, error) {
	return m.change(func(old Settings) (Settings, error) { return old.Edited(edit) })
}

// Edited is what Edit would make of s.
func (s Settings) Edited(edit func(*Settings) error) (Settings, error) {
	s.Providers, s.Routes = slices.Clone(s.Providers), slices.Clone(s.Routes)
	if err := edit(&s); err != nil {
		return Settings{}, err
	}
	return s, s.Validate()
}

func (m *Manager) change(next func(old Settings) (Settings, error)) (Settings, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.takeUp() // an edit by hand that nobody told of yet is not lost to this change
	old := m.Current()
	s, err := next(old)
	if err != nil {
		return Settings{}, err
	}
	if s.Schema == "" {
		s.Schema = old.Schema
	}
	undo, err := m.prepare(old, s)
	if err != nil {
		return Settings{}, err
	}
	if err := m.store(s); err != nil {
		undo()
		return Settings{}, err
	}
	m.setRefused(nil)
	m.announce(old, s)
	return s, nil
}

// store writes s and puts it in force. It renames a complete file into place, so
// that no reader ever sees half of one.
func (m *Manager) store(s Settings) error {
	raw, err := encode(s)
	if err != nil {
		return err
	}
	if err := m.keepRefused(); err != nil {
		return err
	}
	if err := renameio.WriteFile(m.path, raw, 0o600, renameio.IgnoreUmask()); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	m.written = raw
	m.current.Store(&s)
	return nil
}

// RefusedSuffix ends the name of the file, beside settings.json, that holds the last edit that was
// refused and then replaced by a change from elsewhere.
const RefusedSuffix = ".refused"

// keepRefused keeps an edit by hand that could not be used, before it is written over.
func (m *Manager) keepRefused() error {
	if m.refused == nil {
		return nil
	}
	raw, err := os.ReadFile(m.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = renameio.WriteFile(m.path+RefusedSuffix, raw, 0o600, renameio.IgnoreUmask())
	}
	if err != nil {
		return fmt.Errorf("keep the settings that were refused: %w", err)
	}
	return nil
}

func (m *Manager) reload() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.takeUp()
}

// takeUp puts in force what is in the file, unless it is already. What was refused is tried again:
// the reason may have gone since. The mutex is held.
func (m *Manager) takeUp() {
	raw, err := os.ReadFile(m.path)
	if err == nil && m.refused == nil && bytes.Equal(raw, m.written) {
		return
	}
	if err != nil {
		m.written = nil // so that its return is noticed, even unchanged
		m.setRefused(fmt.Errorf("read settings: %w", err))
		return
	}
	m.written = raw
	old := m.Current()
	s, err := Parse(raw)
	if err == nil {
		_, err = m.prepare(old, s)
	}
	if err != nil {
		m.setRefused(fmt.Errorf("%s: %w", m.path, err))
		return
	}
	m.current.Store(&s)
	m.setRefused(nil)
	m.announce(old, s)
}

// Subscribe has f called after every change, in order. f must not change the
// settings itself, nor end its subscription. The returned function ends it: it
// waits for a call that runs, and none begins afterwards. So do Prepare and OnProblem.
func (m *Manager) Subscribe(f func(old, new Settings)) (unsubscribe func()) {
	return add(m, &m.subs, f)
}

// Prepare has f called before every change; an error of f refuses it. To name a
// field, f returns an *Invalid.
func (m *Manager) Prepare(f func(old, new Settings) (undo func(), err error)) (remove func()) {
	return add(m, &m.prepared, f)
}

// OnProblem has f called when Problem changes, with nil when it is solved.
func (m *Manager) OnProblem(f func(error)) (remove func()) {
	return add(m, &m.problems, f)
}

func add[F any](m *Manager, list *[]*hook[F], f F) (remove func()) {
	m.hooks.Lock()
	defer m.hooks.Unlock()
	added := &hook[F]{f: f}
	*list = append(*list, added)
	return func() {
		added.remove() // it may still stand in a list that is in use
		m.hooks.Lock()
		defer m.hooks.Unlock()
		// A new list, for the same reason.
		*list = slices.DeleteFunc(slices.Clone(*list), func(h *hook[F]) bool { return h == added })
	}
}

func snapshot[F any](m *Manager, list *[]*hook[F]) []*hook[F] {
	m.hooks.Lock()
	defer m.hooks.Unlock()
	return *list
}

func (m *Manager) prepare(old, new Settings) (undo func(), err error) {
	var undos []func()
	undo = func() {
		for _, u := range slices.Backward(undos) {
			u()
		}
	}
	for _, h := range snapshot(m, &m.prepared) {
		var back func()
		h.run(func(f preparation) { back, err = f(old, new) })
		if err != nil {
			undo()
			return nil, fmt.Errorf("settings refused: %w", err)
		}
		if back != nil {
			undos = append(undos, back)
		}
	}
	return undo, nil
}

func (m *Manager) announce(old, new Settings) {
	if reflect.DeepEqual(old, new) {
		return
	}
	for _, h := range snapshot(m, &m.subs) {
		h.run(func(f func(old, new Settings)) { f(old, new) })
	}
}

// setRefused is called with the mutex held, as every change of the file is.
func (m *Manager) setRefused(err error) {
	m.refused = err
	m.tellProblem()
}

// setUnwatched tells of a new reason only: one that lasts is met at each new try.
func (m *Manager) setUnwatched(err *UnwatchedError) {
	m.mu.Lock()
	defer m.mu.Unlock()
	same := err == nil && m.unwatched == nil || err != nil && m.unwatched != nil && err.Error() == m.unwatched.Error()
	if !same {
		m.unwatched = err
		m.tellProblem()
	}
}

func (m *Manager) tellProblem() {
	before, now := m.Problem(), m.refused
	switch {
	case m.unwatched != nil && now != nil:
		now = fmt.Errorf("%w; %w", m.unwatched, now)
	case m.unwatched != nil:
		now = m.unwatched
	}
	if before == nil && now == nil {
		return
	}
	if now == nil {
		m.problem.Store(nil)
	} else {
		m.problem.Store(&now)
	}
	for _, h := range snapshot(m, &m.problems) {
		h.run(func(f func(error)) { f(now) })
	}
}
