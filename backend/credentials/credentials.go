// Package credentials finds the keys that providers are asked with: in the environment variable that the settings
// name, or in the OS keychain under the name that the settings say. It sets and removes those of the keychain.
//
// That a key is in the keychain stands in the settings, beside api_key_env and like it without the key. Looking for
// one wherever no variable is named would be less to set, but a keychain that is locked or gone says nothing of what
// it holds: a local server without a key would then be refused with it, or a provider with one asked without. And only
// what the settings say can be held to their rules, such as that no key travels in clear text.
package credentials

import (
	"context"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"mlxbar/backend/keychain"
	"mlxbar/backend/settings"
)

const (
	// readTime is how long the keychain has to answer.
	readTime = 5 * time.Second
	// failureLasts is how long it is believed that a key is not to be had.
	failureLasts = 3 * time.Second
	// rereadAfter is how old a key is at least that is read again because a provider refused it.
	rereadAfter = 30 * time.Second
)

// Settings are those that name the providers.
type Settings interface {
	Current() settings.Settings
	Edit(edit func(*settings.Settings) error) (settings.Settings, error)
}

// Store gives providers their keys. What it read from the keychain it holds in memory, so that no request waits for
// that but the first. It is safe for concurrent use. Close it when done.
type Store struct {
	settings Settings
	getenv   func(string) string
	now      func() time.Time

	held atomic.Pointer[map[string]entry] // by the name in the keychain; never changed, only replaced

	mu       sync.Mutex // guards what follows, and who replaces held
	readings map[string]*reading
	ctx      context.Context // of all readings
	stop     context.CancelFunc
	work     sync.WaitGroup

	changing chan struct{} // holds what lets one change at a time
}

// entry is what the keychain said of a key.
type entry struct {
	key string
	err error
	at  time.Time
}

// reading is the keychain being asked for a key. Who waits for it reads outcome when done is closed.
type reading struct {
	done    chan struct{}
	outcome entry
}

// New makes a store of the providers that set names. A nil set has none that could be given a key; getenv finds variables.
func New(set Settings, getenv func(string) string) *Store {
	s := &Store{settings: set, getenv: getenv, now: time.Now, readings: map[string]*reading{}, changing: make(chan struct{}, 1)}
	s.held.Store(&map[string]entry{})
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Close ends what is read at the moment.
func (s *Store) Close() {
	s.mu.Lock()
	s.stop()
	s.mu.Unlock()
	s.work.Wait()
}

// Key is what p is to be asked with, "" for a provider without a key. One that should have a key and does not get it is
// a *MissingError.
func (s *Store) Key(ctx context.Context, p *settings.Provider) (string, error) {
	switch {
	case p.APIKeyEnv != "":
		if key := s.getenv(p.APIKeyEnv); key != "" {
			return key, nil
		}
		return "", &MissingError{Provider: p.Name, State: VariableUnset, Name: p.APIKeyEnv}
	case p.APIKeyKeychain == "":
		return "", nil
	}
	e, there := (*s.held.Load())[p.APIKeyKeychain]
	if !there || e.err != nil && s.now().Sub(e.at) >= failureLasts {
		e = s.wait(ctx, p.APIKeyKeychain)
	}
	if e.err != nil {
		return "", missing(p, e.err)
	}
	return e.key, nil
}

// Refused hears that p did not take its key. Somebody may have put another one into the keychain with a program of
// theirs, so that is looked at once more, unless it was a moment ago. Requests go on with what there is.
func (s *Store) Refused(p *settings.Provider) {
	if p.APIKeyKeychain == "" {
		return
	}
	if e, there := (*s.held.Load())[p.APIKeyKeychain]; there && s.now().Sub(e.at) >= rereadAfter {
		s.read(p.APIKeyKeychain)
	}
}

// Refresh reads the keys that the settings name, in the background, and forgets all others.
func (s *Store) Refresh(set settings.Settings) {
	names := map[string]bool{}
	for _, p := range set.Providers {
		if p.APIKeyKeychain != "" {
			names[p.APIKeyKeychain] = true
		}
	}
	s.mu.Lock()
	held := maps.Clone(*s.held.Load())
	maps.DeleteFunc(held, func(name string, _ entry) bool { return !names[name] })
	s.held.Store(&held)
	s.mu.Unlock()
	for name := range names {
		s.read(name)
	}
}

// wait has name read and waits for it, as long as ctx allows.
func (s *Store) wait(ctx context.Context, name string) entry {
	r := s.read(name)
	select {
	case <-r.done:
		return r.outcome
	case <-ctx.Done():
		return entry{err: ctx.Err()}
	}
}

// read asks the keychain for name, in the background, if nobody does so already.
func (s *Store) read(name string) *reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.readings[name]; r != nil {
		return r
	}
	r := &reading{done: make(chan struct{})}
	s.readings[name] = r
	if s.ctx.Err() != nil { // closed
		r.outcome.err = s.ctx.Err()
		close(r.done)
		return r
	}
	s.work.Go(func() {
		ctx, cancel := context.WithTimeout(s.ctx, readTime)
		defer cancel()
		key, err := keychain.Get(ctx, account(name))
		s.keep(name, r, entry{key, err, s.now()})
		close(r.done)
	})
	return r
}

// keep holds what was read, unless the key was set or removed meanwhile. A key that was read once stays while the
// keychain says nothing else of it.
func (s *Store) keep(name string, r *reading, e entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, there := (*s.held.Load())[name]
	if there && before.err == nil && e.err != nil && !errors.Is(e.err, keychain.ErrNotFound) {
		e = entry{before.key, nil, e.at}
	}
	r.outcome = e
	if s.readings[name] != r {
		return
	}
	delete(s.readings, name)
	s.replace(name, e)
}

// replace puts e among what is held, with the lock held.
func (s *Store) replace(name string, e entry) {
	held := maps.Clone(*s.held.Load())
	held[name] = e
	s.held.Store(&held)
}

// holds makes what was just set or removed count at once, and not what is being read at the moment.
func (s *Store) holds(name string, e entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.readings, name)
	s.replace(name, e)
}

// account is what the keychain calls the key that the settings call name. None of mlxbar's other secrets can be
// named by a provider and be sent there.
func account(name string) string { return "provider:" + name }
