// Package listing knows which models providers say that they have. It asks them in the
// background and keeps what they said, so that whoever lists models waits little the first
// time and not at all later; a provider that is down leaves its last list.
package listing

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"mlxbar/backend/settings"
)

const (
	// goodFor is the age at which a list is asked for again, and badFor that of a failure.
	goodFor = 10 * time.Minute
	badFor  = 30 * time.Second
	// askTime bounds one provider's list, all its pages included.
	askTime = 10 * time.Second
	// patience is what a reader waits for lists that were never there.
	patience = 2 * time.Second
)

// Model is one that a provider lists.
type Model struct {
	ID      string
	Title   string // for people; "" where the provider gives none
	Created int64  // in Unix seconds, 0 where it is not told
}

// Config is what a Book needs.
type Config struct {
	// May says whether a provider may be asked at this moment.
	May func(settings.Provider) bool
	// Key is the provider's API key, "" for none.
	Key func(context.Context, settings.Provider) (string, error)
	// Send is the way to providers. Its errors quote nothing that a provider sent.
	Send func(*http.Request) (*http.Response, error)
	Log  *slog.Logger
}

// Book holds the lists. It is safe for concurrent use.
type Book struct {
	Config
	ctx    context.Context
	cancel context.CancelFunc
	now    func() time.Time

	mu      sync.Mutex // guards what follows, and flights.Add against Close
	closed  bool
	entries map[settings.Provider]*entry // by all that is set of it: a change begins anew
	flights sync.WaitGroup
}

// entry is what is known of one provider's list.
type entry struct {
	models []Model
	asked  bool // an answer or a failure has come
	failed bool // it was the last thing to come
	due    time.Time
	flight chan struct{} // closed when the one who asks now has ended; nil while nobody does
}

// New makes a Book that knows nothing yet. Close it.
func New(c Config) *Book {
	b := &Book{Config: c, now: time.Now, entries: map[settings.Provider]*entry{}}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b
}

// Close ends what is being asked, and returns when it has ended.
func (b *Book) Close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cancel()
	b.flights.Wait()
}

// Forget has every list asked for anew, as after a change of keys. What is known stays until then.
func (b *Book) Forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.entries {
		e.due = time.Time{}
	}
}

// Models gives what is known of the lists of providers, and has those asked for that are not known or
// too old. It waits only for what never was known, and not long.
func (b *Book) Models(ctx context.Context, providers []settings.Provider) map[settings.Provider][]Model {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, flight := range b.refresh(providers) {
		select {
		case <-flight:
		case <-ctx.Done():
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	known := make(map[settings.Provider][]Model, len(providers))
	for _, p := range providers {
		if e := b.entries[p]; e != nil {
			known[p] = e.models
		}
	}
	return known
}

// Lacks says whether p was heard to list models, and this is none of them. It asks nobody.
func (b *Book) Lacks(p settings.Provider, model string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[p]
	return e != nil && Lacks(e.models, model)
}

// Lacks says whether a list of models that a provider gave has not that one. An empty list says nothing.
func Lacks(list []Model, model string) bool {
	return len(list) > 0 && !slices.ContainsFunc(list, func(m Model) bool { return m.ID == model })
}

// refresh begins to ask for what is due, forgets providers that are no more, and gives the flights
// that bring the first that is heard of one.
func (b *Book) refresh(providers []settings.Provider) (first []<-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	left := make(map[settings.Provider]*entry, len(providers))
	for _, p := range providers {
		e := b.entries[p]
		if e == nil {
			e = &entry{}
		}
		left[p] = e
		if e.flight == nil && !b.closed && !now.Before(e.due) {
			e.flight = make(chan struct{})
			b.flights.Go(func() { b.ask(p, e) })
		}
		if e.flight != nil && !e.asked {
			first = append(first, e.flight)
		}
	}
	b.entries = left
	return first
}

// ask brings e up to date.
func (b *Book) ask(p settings.Provider, e *entry) {
	ctx, cancel := context.WithTimeout(b.ctx, askTime)
	defer cancel()
	list, err := b.fetch(ctx, p)
	b.mu.Lock()
	defer b.mu.Unlock()
	close(e.flight)
	e.flight = nil
	if b.closed {
		return
	}
	before := e.failed
	e.asked, e.failed = true, err != nil
	if err == nil {
		e.models, e.due = list, b.now().Add(goodFor)
		if before {
			b.Log.Info("a provider lists its models again", "provider", p.Name, "models", len(list))
		}
		return
	}
	e.due = b.now().Add(badFor)
	if !before {
		b.Log.Warn("a provider's models could not be listed; what it listed before stays", "provider", p.Name, "known", len(e.models), "cause", err)
	}
}
