package access

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mlxbar/backend/audit"
	"mlxbar/backend/storage"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.Local)

type rig struct {
	t     *testing.T
	path  string
	db    *storage.DB
	store *Store
	guard *Guard
	time  time.Time
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, path: filepath.Join(t.TempDir(), "mlxbar.db"), time: noon}
	r.open()
	t.Cleanup(func() { r.db.Close() })
	return r
}

func (r *rig) open() {
	r.t.Helper()
	db, err := storage.Open(r.t.Context(), r.path, storage.Options{})
	if err != nil {
		r.t.Fatal(err)
	}
	r.db, r.store = db, NewStore(db)
	r.guard = &Guard{store: r.store, now: func() time.Time { return r.time }, used: map[string]time.Time{}, wake: make(chan struct{}, 1)}
	r.reload()
}

func (r *rig) reload() {
	r.t.Helper()
	if err := r.guard.Reload(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) key(l Limits) (Key, string) {
	r.t.Helper()
	k, secret, err := r.store.Create(r.t.Context(), "editor", l, noon)
	if err != nil {
		r.t.Fatal(err)
	}
	r.reload()
	return k, secret
}

func TestAKeyIsShownOnceAndKeptAsItsHash(t *testing.T) {
	r := newRig(t)
	k, secret := r.key(Limits{Models: []string{"small", "gpt-*"}, RequestsPerMinute: 5, TokensPerDay: 100})
	if !strings.HasPrefix(secret, prefix) || len(secret) < 50 || !strings.HasSuffix(secret, k.Hint) {
		t.Errorf("the key is %q, its hint %q", secret, k.Hint)
	}
	got, err := r.guard.Identify(secret)
	if err != nil || got.ID != k.ID {
		t.Errorf("identified as %+v, %v", got, err)
	}
	for _, wrong := range []string{"", secret[:len(secret)-1], secret + "x", strings.ToUpper(secret), k.ID} {
		if _, err := r.guard.Identify(wrong); !errors.Is(err, ErrUnknown) {
			t.Errorf("%q is known: %v", wrong, err)
		}
	}
	all, err := r.store.List(t.Context())
	if err != nil || len(all) != 1 || all[0].Name != "editor" || all[0].Limits.TokensPerDay != 100 || len(all[0].Limits.Models) != 2 {
		t.Errorf("listed: %+v, %v", all, err)
	}
	r.db.Close()
	files, _ := filepath.Glob(r.path + "*")
	for _, f := range files {
		if raw, err := os.ReadFile(f); err != nil || bytes.Contains(raw, []byte(secret[len(prefix):len(prefix)+20])) {
			t.Errorf("%s holds a part of the key, %v", f, err)
		}
	}
	r.open()
	if _, err := r.guard.Identify(secret); err != nil {
		t.Errorf("after a restart: %v", err)
	}
}

func TestBadKeysAreRefusedByField(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		name   string
		limits Limits
		field  string
	}{
		{"", Limits{}, "name"}, {" \t", Limits{}, "name"}, {strings.Repeat("x", 81), Limits{}, "name"}, {"a\nb", Limits{}, "name"},
		{"sk-ant-0123456789abcdefgh", Limits{}, "name"},
		{"a", Limits{RequestsPerMinute: -1}, "limits.requests_per_minute"}, {"a", Limits{TokensPerDay: -1}, "limits.tokens_per_day"},
		{"a", Limits{Models: []string{"ok", ""}}, "limits.models[1]"}, {"a", Limits{Models: make([]string, 65)}, "limits.models"},
	} {
		_, secret, err := r.store.Create(t.Context(), c.name, c.limits, noon)
		var f *FieldError
		if !errors.As(err, &f) || f.Field != c.field || secret != "" {
			t.Errorf("%q %+v: %v", c.name, c.limits, err)
		}
		if err := r.store.Update(t.Context(), "key_x", c.name, c.limits); !errors.As(err, &f) || f.Field != c.field {
			t.Errorf("changed to %q %+v: %v", c.name, c.limits, err)
		}
	}
	if all, err := r.store.List(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("kept all the same: %v, %v", all, err)
	}
	if err := r.store.Update(t.Context(), "key_x", "a", Limits{}); !errors.Is(err, ErrNotFound) {
		t.Errorf("a key that is not there was changed: %v", err)
	}
}

func TestModelsAreAllowedByPattern(t *testing.T) {
	r := newRig(t)
	k, _ := r.key(Limits{Models: []string{"small", "gpt-*"}})
	for model, want := range map[string]bool{"small": true, "gpt-4o": true, "smaller": false, "": false} {
		_, err := r.guard.Admit(k.ID, model)
		var no *NotAllowed
		if (err == nil) != want || !want && !errors.As(err, &no) {
			t.Errorf("%q: %v", model, err)
		}
	}
	if err := r.store.Update(t.Context(), k.ID, "editor", Limits{}); err != nil {
		t.Fatal(err)
	}
	r.reload()
	if _, err := r.guard.Admit(k.ID, "anything"); err != nil {
		t.Errorf("a key without a list of models: %v", err)
	}
	if err := r.guard.Delete(t.Context(), k.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := r.guard.Admit(k.ID, "anything"); !errors.Is(err, ErrUnknown) {
		t.Errorf("a key that was taken back: %v", err)
	}
}

func TestRequestsPerMinute(t *testing.T) {
	r := newRig(t)
	k, _ := r.key(Limits{RequestsPerMinute: 3})
	for i := range 3 {
		a, err := r.guard.Admit(k.ID, "m")
		if err != nil || a.Requests != 3 || a.RequestsLeft != 2-i || a.Tokens != 0 {
			t.Errorf("request %d: %+v, %v", i, a, err)
		}
	}
	_, err := r.guard.Admit(k.ID, "m")
	var over *Over
	if !errors.As(err, &over) || over.Limit != "requests_per_minute" || over.After != 20*time.Second {
		t.Errorf("one too many: %v", err)
	}
	r.reload() // what changes one key does not give another its minute back
	if _, err := r.guard.Admit(k.ID, "m"); !errors.As(err, &over) {
		t.Errorf("after keys were read anew: %v", err)
	}
	r.time = r.time.Add(over.After)
	if _, err := r.guard.Admit(k.ID, "m"); err != nil {
		t.Errorf("after the time that was said: %v", err)
	}
}

func TestTokensPerDay(t *testing.T) {
	r := newRig(t)
	k, _ := r.key(Limits{TokensPerDay: 100})
	r.guard.Spend(k.ID, 60)
	if a, err := r.guard.Admit(k.ID, "m"); err != nil || a.TokensLeft != 40 || a.TokensReset != 12*time.Hour {
		t.Errorf("%+v, %v", a, err)
	}
	r.guard.Spend(k.ID, 60) // only known when the answer is there
	_, err := r.guard.Admit(k.ID, "m")
	var over *Over
	if !errors.As(err, &over) || over.Limit != "tokens_per_day" || over.After != 12*time.Hour {
		t.Errorf("after 120 tokens: %v", err)
	}
	r.time = r.time.Add(12 * time.Hour)
	if a, err := r.guard.Admit(k.ID, "m"); err != nil || a.TokensLeft != 100 {
		t.Errorf("the next day: %+v, %v", a, err)
	}
}

// What was used before a restart is in the audit.
func TestTheDayIsKnownAfterARestart(t *testing.T) {
	r := newRig(t)
	k, _ := r.key(Limits{TokensPerDay: 100})
	rec, err := audit.NewRecorder(t.Context(), r.db, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Time{noon, noon.Add(-13 * time.Hour)} { // today's and yesterday's
		n := int64(70)
		one := audit.Record{StartedAt: at, Model: "m", KeyID: k.ID, Backend: audit.Local, Endpoint: "/v1/chat/completions", RequestID: "r", TotalTokens: &n}
		if err := rec.Begin(t.Context(), &one); err != nil {
			t.Fatal(err)
		}
		one.Status = audit.Success
		if err := rec.End(&one); err != nil {
			t.Fatal(err)
		}
	}
	if err := rec.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	r.db.Close()
	r.open()
	if a, err := r.guard.Admit(k.ID, "m"); err != nil || a.TokensLeft != 30 {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestTheLastUseIsKept(t *testing.T) {
	r := newRig(t)
	k, secret := r.key(Limits{})
	r.guard.Identify(secret)
	if err := r.guard.WriteUse(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, err := r.store.List(t.Context())
	if err != nil || all[0].ID != k.ID || all[0].LastUsedAt == nil || !all[0].LastUsedAt.Equal(noon) {
		t.Errorf("%+v, %v", all, err)
	}
	r.time = noon.Add(time.Second)
	r.guard.Identify(secret) // not each request is written
	if len(r.guard.used) != 0 {
		t.Errorf("to be written again: %v", r.guard.used)
	}
}

// Whoever takes a key back may leave before that is done: the key is of no use all the same.
func TestAKeyIsTakenBackThoughItsOwnerLeaves(t *testing.T) {
	r := newRig(t)
	k, secret := r.key(Limits{})
	ctx, leave := context.WithCancel(t.Context())
	err := r.guard.changed(ctx, func() error {
		if err := r.store.revoke(ctx, k.ID, noon); err != nil {
			return err
		}
		leave()
		return nil
	})
	if _, known := r.guard.Identify(secret); err != nil || !errors.Is(known, ErrUnknown) {
		t.Errorf("%v, %v", err, known)
	}
}

// What was used up yesterday is not carried into today by a change of the keys.
func TestTheFirstChangeOfTheDayBeginsItsCount(t *testing.T) {
	r := newRig(t)
	k, _ := r.key(Limits{TokensPerDay: 100})
	r.guard.Spend(k.ID, 200)
	r.time = r.time.Add(13 * time.Hour)
	r.reload()
	if a, err := r.guard.Admit(k.ID, "m"); err != nil || a.TokensLeft != 100 {
		t.Errorf("%+v, %v", a, err)
	}
}

// Taking a key back can be undone for a moment, with all that it was; a key that is back is the same key.
func TestAKeyThatWasTakenBackCanBeHadBack(t *testing.T) {
	r := newRig(t)
	k, secret := r.key(Limits{Models: []string{"gpt-*"}, RequestsPerMinute: 5, TokensPerDay: 100})
	r.guard.Identify(secret)
	if err := r.guard.WriteUse(t.Context()); err != nil {
		t.Fatal(err)
	}
	before, _ := r.store.List(t.Context())
	if err := r.guard.Delete(t.Context(), k.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := r.guard.Identify(secret); !errors.Is(err, ErrUnknown) {
		t.Errorf("until then it is of no use: %v", err)
	}
	if err := r.guard.Restore(t.Context(), k.ID); err != nil {
		t.Fatal(err)
	}
	after, err := r.store.List(t.Context())
	if err != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("it was %+v and is %+v, %v", before, after, err)
	}
	if got, err := r.guard.Identify(secret); err != nil || got.ID != k.ID {
		t.Errorf("identified as %+v, %v", got, err)
	}
	if err := r.guard.Restore(t.Context(), k.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("restored twice: %v", err)
	}
}
