package access

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Guard knows the keys by heart and counts what each uses. It is safe for concurrent use.
type Guard struct {
	store *Store
	now   func() time.Time

	changing sync.Mutex    // held from a change of the store until it is known here
	wake     chan struct{} // tells RunDeletions that a key was taken back
	mu       sync.Mutex
	byHash   map[[32]byte]*holder
	byID     map[string]*holder
	day      time.Time // the midnight that tokens are counted from
	used     map[string]time.Time
}

type holder struct {
	key     Key
	bucket  *rate.Limiter // nil without a limit
	tokens  int64         // of the day
	written time.Time     // the last use that is in the database
}

// Allowance is what is left to a key, for the headers of an answer. A limit of 0 is none.
type Allowance struct {
	Requests, RequestsLeft int
	RequestsReset          time.Duration // until all are there again
	Tokens, TokensLeft     int64
	TokensReset            time.Duration
}

// Over tells that a key has used up one of its limits.
type Over struct {
	Limit string // requests_per_minute or tokens_per_day
	After time.Duration
}

func (e *Over) Error() string {
	return fmt.Sprintf("the key's limit %s is used up for %s", e.Limit, e.After.Round(time.Second))
}

// NotAllowed tells that a key may not ask a model.
type NotAllowed struct{ Models []string }

func (e *NotAllowed) Error() string { return "the key may not ask this model" }

// NewGuard reads the keys, and what they have used today out of the audit.
func NewGuard(ctx context.Context, s *Store) (*Guard, error) {
	g := &Guard{store: s, now: time.Now, used: map[string]time.Time{}, wake: make(chan struct{}, 1)}
	return g, g.Reload(ctx)
}

// Reload reads the keys anew, after they were changed. Counts go on.
func (g *Guard) Reload(ctx context.Context) error {
	g.changing.Lock()
	defer g.changing.Unlock()
	return g.reload(ctx)
}

// reloadTime bounds what is read after a change that is made already.
const reloadTime = 30 * time.Second

// changed takes a change of the store in, even if who asked for it has left.
func (g *Guard) changed(ctx context.Context, change func() error) error {
	g.changing.Lock()
	defer g.changing.Unlock()
	if err := change(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reloadTime)
	defer cancel()
	return g.reload(ctx)
}

func (g *Guard) reload(ctx context.Context) error {
	now := g.now()
	all, err := g.store.load(ctx)
	if err != nil {
		return err
	}
	sums, err := g.store.tokensSince(ctx, midnight(now))
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.turn(now) // what was used yesterday does not count today
	before := g.byID
	g.byHash, g.byID = make(map[[32]byte]*holder, len(all)), make(map[string]*holder, len(all))
	for _, k := range all {
		h := &holder{key: k.Key, tokens: sums[k.ID], bucket: bucket(k.Limits)}
		if old := before[k.ID]; old != nil {
			h.tokens = max(h.tokens, old.tokens) // the audit lags a little behind
			h.written = old.written
			if old.key.Limits.RequestsPerMinute == k.Limits.RequestsPerMinute {
				h.bucket = old.bucket
			}
		}
		g.byHash[k.hash], g.byID[k.ID] = h, h
	}
	return nil
}

func bucket(l Limits) *rate.Limiter {
	if l.RequestsPerMinute == 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(float64(l.RequestsPerMinute)/60), l.RequestsPerMinute)
}

// List returns all keys, the oldest first.
func (g *Guard) List(ctx context.Context) ([]Key, error) { return g.store.List(ctx) }

// Create makes a key, which is good at once, and returns its secret, which is told this once.
func (g *Guard) Create(ctx context.Context, name string, l Limits, now time.Time) (Key, string, error) {
	var k Key
	var secret string
	err := g.changed(ctx, func() (err error) {
		k, secret, err = g.store.Create(ctx, name, l, now)
		return err
	})
	return k, secret, err
}

// Update changes a key, for the requests that come from then on.
func (g *Guard) Update(ctx context.Context, id, name string, l Limits) error {
	return g.changed(ctx, func() error { return g.store.Update(ctx, id, name, l) })
}

// Identify finds whose secret it is; ErrUnknown if it is nobody's.
func (g *Guard) Identify(secret string) (Key, error) {
	sum := hash(secret)
	g.mu.Lock()
	defer g.mu.Unlock()
	h := g.byHash[sum] // what is compared is a hash: its time tells nothing of the key
	if h == nil {
		return Key{}, ErrUnknown
	}
	if now := g.now(); now.Sub(h.written) >= time.Minute {
		h.written = now
		g.used[h.key.ID] = now
	}
	return h.key, nil
}

// Admit counts a request of a key for a model. It is a *NotAllowed or an *Over when the key may not.
// A key that was taken back meanwhile is ErrUnknown.
func (g *Guard) Admit(id, model string) (Allowance, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	h := g.byID[id]
	if h == nil {
		return Allowance{}, ErrUnknown
	}
	now := g.now()
	g.turn(now)
	if !h.key.Limits.Allows(model) {
		return g.allowance(h, now), &NotAllowed{h.key.Limits.Models}
	}
	if most := h.key.Limits.TokensPerDay; most > 0 && h.tokens >= most {
		return g.allowance(h, now), &Over{"tokens_per_day", untilMidnight(now)}
	}
	if h.bucket != nil && !h.bucket.AllowN(now, 1) {
		missing := 1 - h.bucket.TokensAt(now)
		return g.allowance(h, now), &Over{"requests_per_minute", seconds(missing / float64(h.bucket.Limit()))}
	}
	return g.allowance(h, now), nil
}

// Spend counts the tokens of a request that has ended.
func (g *Guard) Spend(id string, tokens int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.turn(g.now())
	if h := g.byID[id]; h != nil && tokens > 0 {
		h.tokens += tokens
	}
}

// turn begins a new day, with the lock held.
func (g *Guard) turn(now time.Time) {
	if day := midnight(now); !day.Equal(g.day) {
		g.day = day
		for _, h := range g.byID {
			h.tokens = 0
		}
	}
}

func (g *Guard) allowance(h *holder, now time.Time) Allowance {
	a := Allowance{Requests: h.key.Limits.RequestsPerMinute, Tokens: h.key.Limits.TokensPerDay}
	if h.bucket != nil {
		left := h.bucket.TokensAt(now)
		a.RequestsLeft = max(int(left), 0)
		a.RequestsReset = seconds((float64(a.Requests) - left) / float64(h.bucket.Limit()))
	}
	if a.Tokens > 0 {
		a.TokensLeft, a.TokensReset = max(a.Tokens-h.tokens, 0), untilMidnight(now)
	}
	return a
}

// WriteUse keeps in the database when keys were last used.
func (g *Guard) WriteUse(ctx context.Context) error {
	g.mu.Lock()
	used := g.used
	g.used = map[string]time.Time{}
	g.mu.Unlock()
	if len(used) == 0 {
		return nil
	}
	if err := g.store.noteUse(ctx, used); err != nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		for id, at := range g.used { // what came meanwhile is newer
			used[id] = at
		}
		g.used = used
		return err
	}
	return nil
}

func midnight(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, t.Location())
}

func untilMidnight(t time.Time) time.Duration {
	y, m, d := t.Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, t.Location()).Sub(t)
}

func seconds(s float64) time.Duration {
	return time.Duration(math.Ceil(max(s, 0)*1000)) * time.Millisecond
}
