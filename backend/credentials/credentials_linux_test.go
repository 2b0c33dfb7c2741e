package credentials

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mlxbar/backend/keychain"
	"mlxbar/backend/settings"
	"mlxbar/backend/testkit/secrets"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house is a store over real settings, with a clock that the test sets.
type house struct {
	*Store
	t        *testing.T
	settings *settings.Manager
	later    atomic.Int64
}

func newHouse(t *testing.T, providers ...string) *house {
	t.Helper()
	path := filepath.Join(t.TempDir(), "settings.json")
	if err := os.WriteFile(path, []byte(`{"providers": [`+strings.Join(providers, ",")+`]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := settings.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, settings: set, Store: New(set, func(name string) string { return map[string]string{"SOME_KEY": "sk-of-the-variable"}[name] })}
	h.now = func() time.Time { return time.Now().Add(time.Duration(h.later.Load())) }
	t.Cleanup(h.Close)
	return h
}

func provider(name, more string) string {
	return fmt.Sprintf(`{"name": %q, "kind": "openai", "base_url": "https://%s.example/v1"%s}`, name, name, more)
}

func kept(name string) string { return fmt.Sprintf(`, "api_key_keychain": %q`, name) }

func (h *house) provider(name string) *settings.Provider {
	h.t.Helper()
	current := h.settings.Current()
	p := current.Provider(name)
	if p == nil {
		h.t.Fatalf("no provider %s", name)
	}
	return p
}

// says wants the provider's key to be key, or the word on it to be state.
func (h *house) says(provider, key string, state State) {
	h.t.Helper()
	got, err := h.Key(h.t.Context(), h.provider(provider))
	var missing *MissingError
	switch {
	case errors.As(err, &missing) && (missing.State != state || key != ""):
		h.t.Errorf("the key of %s is %s, want %q, %s", provider, missing.State, key, state)
	case err != nil && missing == nil:
		h.t.Error(err)
	case got != key:
		h.t.Errorf("the key of %s is %q, want %q", provider, got, key)
	}
	now, detail := h.State(h.t.Context(), h.provider(provider))
	if now != state || (detail != "") != (err != nil) {
		h.t.Errorf("the state of %s is %s, %q, want %s", provider, now, detail, state)
	}
}

func (h *house) does(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// put is somebody else's program that writes into the keychain.
func (h *house) put(name, key string) {
	h.t.Helper()
	h.does(keychain.Set(h.t.Context(), "provider:"+name, key))
}

func TestAKeyComesFromWhereTheSettingsSay(t *testing.T) {
	secrets.New(t)
	h := newHouse(t, provider("variable", `, "api_key_env": "SOME_KEY"`), provider("unset", `, "api_key_env": "OTHER_KEY"`),
		provider("keychain", kept("mine")), provider("empty", kept("nothing")), provider("none", ""))
	h.put("mine", "sk-of-the-keychain")
	h.put("none", "left by a provider of that name") // which the settings do not name
	h.says("variable", "sk-of-the-variable", VariableSet)
	h.says("unset", "", VariableUnset)
	h.says("keychain", "sk-of-the-keychain", Kept)
	h.says("empty", "", NotKept)
	h.says("none", "", None)
}

func TestARequestWaitsForTheKeychainOnceAtMost(t *testing.T) {
	bus := secrets.New(t)
	h := newHouse(t, provider("far", kept("far")), provider("near", kept("near")))
	h.put("far", "sk-far")
	h.put("near", "sk-near")
	var all sync.WaitGroup
	for range 50 { // at once
		all.Go(func() { h.says("far", "sk-far", Kept) })
	}
	all.Wait()
	h.Refresh(h.settings.Current()) // reads the other one ahead
	for {                           // whichever way, it is there without being asked for in a moment
		if _, there := (*h.held.Load())["near"]; there {
			break
		}
		time.Sleep(time.Millisecond)
	}
	bus.Freeze()
	h.later.Store(int64(time.Hour))
	h.says("far", "sk-far", Kept)
	h.says("near", "sk-near", Kept)
	p := h.provider("far")
	if n := testing.AllocsPerRun(100, func() {
		if _, err := h.Key(t.Context(), p); err != nil {
			t.Error(err)
		}
	}); n > 0 {
		t.Errorf("a key that is held costs %v allocations", n)
	}
}

func TestAKeychainThatIsSilentIsGivenUp(t *testing.T) {
	bus := secrets.New(t)
	h := newHouse(t, provider("far", kept("far")))
	bus.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if key, err := h.Key(ctx, h.provider("far")); !errors.Is(err, context.DeadlineExceeded) || key != "" {
		t.Errorf("%q, %v", key, err)
	}
	// The end of the store ends what it reads.
}

func TestAKeychainThatIsOpenedLaterIsReadThen(t *testing.T) {
	bus := secrets.New(t)
	h := newHouse(t, provider("far", kept("far")))
	h.put("far", "sk-far")
	bus.Lock()
	h.says("far", "", Locked)
	bus.Unlock()
	h.later.Store(int64(failureLasts))
	h.says("far", "sk-far", Kept)
}

// A refused key is read again, but not each time, and meanwhile and afterwards requests have one.
func TestARefusedKeyIsReadAgain(t *testing.T) {
	bus := secrets.New(t)
	h := newHouse(t, provider("far", kept("far")), provider("none", ""), provider("variable", `, "api_key_env": "SOME_KEY"`))
	read := func() {
		t.Helper()
		h.Refused(h.provider("far"))
		h.work.Wait()
	}
	h.put("far", "sk-old")
	h.says("far", "sk-old", Kept)
	h.put("far", "sk-new")
	read()
	h.says("far", "sk-old", Kept) // it was read a moment ago
	h.later.Add(int64(rereadAfter))
	read()
	h.says("far", "sk-new", Kept)

	bus.Lock()
	h.later.Add(int64(rereadAfter))
	read()
	h.says("far", "sk-new", Kept) // of the keychain's being locked follows nothing
	bus.Unlock()
	h.does(keychain.Delete(t.Context(), "provider:far"))
	h.later.Add(int64(rereadAfter))
	read()
	h.says("far", "", NotKept)
	h.Refused(h.provider("none"))
	h.Refused(h.provider("variable"))
}

func TestWhatTheSettingsNoLongerNameIsForgotten(t *testing.T) {
	secrets.New(t)
	h := newHouse(t, provider("far", kept("far")))
	h.put("far", "sk-far")
	h.says("far", "sk-far", Kept)
	h.Refresh(settings.Settings{})
	if held := *h.held.Load(); len(held) > 0 {
		t.Errorf("it holds %d keys", len(held))
	}
}

func TestASetKeyCountsAtOnceAndInTheSettings(t *testing.T) {
	secrets.New(t)
	h := newHouse(t, provider("far", ""), provider("other", ""))
	h.says("far", "", None)
	h.does(h.Set(t.Context(), "far", "sk-1"))
	h.says("far", "sk-1", Kept)
	h.does(h.Set(t.Context(), "far", "sk-2"))
	h.says("far", "sk-2", Kept)
	if _, err := settings.Open(h.settings.Path()); err != nil || h.provider("far").APIKeyKeychain != "far" || h.provider("other").APIKeyKeychain != "" {
		t.Errorf("%+v, %v", h.settings.Current().Providers, err)
	}
	if got, err := keychain.Get(t.Context(), "provider:far"); err != nil || got != "sk-2" {
		t.Errorf("the keychain has %q, %v", got, err)
	}
	removal, err := h.Remove(t.Context(), "far")
	if err != nil || !removal.Removed || !removal.Unnamed {
		t.Errorf("%+v, %v", removal, err)
	}
	h.says("far", "", None)
}

// What is read while a key is set does not stand over it.
func TestAKeyThatIsSetWhileItIsReadStays(t *testing.T) {
	secrets.New(t)
	h := newHouse(t, provider("far", kept("far")))
	h.put("far", "sk-old")
	late := h.read("far") // it may end before or after
	h.does(h.Set(t.Context(), "far", "sk-new"))
	<-late.done
	h.work.Wait()
	h.says("far", "sk-new", Kept)
}

// stubborn are settings that cannot be written, as on a full disk.
type stubborn struct{ *settings.Manager }

var errFull = errors.New("no space left on device")

func (stubborn) Edit(func(*settings.Settings) error) (settings.Settings, error) {
	return settings.Settings{}, errFull
}

func TestAKeyThatTheSettingsCannotNameIsNotKept(t *testing.T) {
	secrets.New(t)
	h := newHouse(t, provider("far", ""))
	h.Store.settings = stubborn{h.settings}
	if err := h.Set(t.Context(), "far", "sk-far"); !errors.Is(err, errFull) {
		t.Errorf("%v", err)
	}
	if got, err := keychain.Get(t.Context(), "provider:far"); !errors.Is(err, keychain.ErrNotFound) {
		t.Errorf("the keychain has %q, %v", got, err)
	}
	h.says("far", "", None)
	h.put("far", "of another time")
	if err := h.Set(t.Context(), "far", "sk-far"); !errors.Is(err, errFull) {
		t.Errorf("%v", err)
	}
	if got, err := keychain.Get(t.Context(), "provider:far"); err != nil || got != "of another time" {
		t.Errorf("the keychain has %q, %v", got, err)
	}
}

func TestNoErrorRepeatsAKey(t *testing.T) {
	bus := secrets.New(t)
	h := newHouse(t, provider("far", ""), provider("variable", `, "api_key_env": "SOME_KEY"`))
	for _, key := range []string{"", "sk secret", "sk-secret\n", "\tsk-secret", "sk-secrèt", "sk-secret\x7f", strings.Repeat("sk-secret", 300)} {
		err := h.Set(t.Context(), "far", key)
		var fault *KeyError
		if !errors.As(err, &fault) || strings.Contains(err.Error(), "secr") {
			t.Errorf("%q: %v", key, err)
		}
	}
	for name, want := range map[string]error{"nope": ErrUnknown, "variable": &VariableError{"variable", "SOME_KEY"}} {
		if err := h.Set(t.Context(), name, "sk-secret"); err == nil || err.Error() != want.Error() || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	bus.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := h.Set(ctx, "far", "sk-secret"); !errors.Is(err, ErrKeychain) || strings.Contains(err.Error(), "secret-") {
		t.Errorf("%v", err)
	}
	h.says("far", "", None)
}

func TestNamesInTheKeychainDoNotCollide(t *testing.T) {
	long := strings.Repeat("x", 80)
	set := &settings.Settings{Providers: []settings.Provider{{Name: "work", APIKeyKeychain: "far"}, {Name: "home", APIKeyKeychain: "far-2"}, {Name: long}}}
	for provider, want := range map[string]string{"far": "far-3", "near": "near", long: long[:maxName]} {
		if got := freeName(set, provider); got != want {
			t.Errorf("of %s: %s, want %s", provider, got, want)
		}
	}
}

func TestAClosedStoreReadsNothing(t *testing.T) {
	secrets.New(t)
	h := newHouse(t, provider("far", kept("far")))
	h.Close()
	if key, err := h.Key(t.Context(), h.provider("far")); err == nil {
		t.Errorf("%q", key)
	}
	h.Refresh(h.settings.Current())
}
