package keychain_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mlxbar/backend/keychain"
	"mlxbar/backend/testkit/secrets"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds a failing test.
const patience = 30 * time.Second

func within(t *testing.T, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

func TestASecretIsKeptReplacedAndRemoved(t *testing.T) {
	secrets.New(t)
	ctx := within(t, patience)
	if got, err := keychain.Get(ctx, "SOME_KEY"); !errors.Is(err, keychain.ErrNotFound) {
		t.Errorf("of an empty keychain: %q, %v", got, err)
	}
	for _, secret := range []string{"first", "second, with a space", "dritter, ä"} {
		if err := keychain.Set(ctx, "SOME_KEY", secret); err != nil {
			t.Fatal(err)
		}
		if got, err := keychain.Get(ctx, "SOME_KEY"); err != nil || got != secret {
			t.Errorf("got %q, %v; want %q", got, err, secret)
		}
	}
	if got, err := keychain.Get(ctx, "OTHER_KEY"); !errors.Is(err, keychain.ErrNotFound) {
		t.Errorf("of another name: %q, %v", got, err)
	}
	if err := keychain.Delete(ctx, "SOME_KEY"); err != nil {
		t.Fatal(err)
	}
	if err := keychain.Delete(ctx, "SOME_KEY"); !errors.Is(err, keychain.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	if got, err := keychain.Get(ctx, "SOME_KEY"); !errors.Is(err, keychain.ErrNotFound) {
		t.Errorf("after its removal: %q, %v", got, err)
	}
}

func TestReadingALockedKeychainAsksNobody(t *testing.T) {
	bus := secrets.New(t)
	ctx := within(t, patience)
	if err := keychain.Set(ctx, "SOME_KEY", "secret"); err != nil {
		t.Fatal(err)
	}
	bus.Lock()
	if got, err := keychain.Get(ctx, "SOME_KEY"); !errors.Is(err, keychain.ErrLocked) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestWithoutAKeychainThereIsNone(t *testing.T) {
	dir := t.TempDir()
	launched := filepath.Join(dir, "launched")
	if err := os.WriteFile(filepath.Join(dir, "dbus-launch"), []byte("#!/bin/sh\n>'"+launched+"'\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, prepare := range map[string]func(*testing.T){
		"no bus": func(t *testing.T) {
			t.Setenv("PATH", dir)
			t.Setenv("XDG_RUNTIME_DIR", dir)
			t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
		},
		"a bus that is gone":   func(t *testing.T) { t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+filepath.Join(dir, "gone")) },
		"no service on it":     func(t *testing.T) { secrets.NewBus(t) },
		"an address of no bus": func(t *testing.T) { t.Setenv("DBUS_SESSION_BUS_ADDRESS", "nonsense") },
	} {
		t.Run(name, func(t *testing.T) {
			prepare(t)
			ctx := within(t, patience)
			if got, err := keychain.Get(ctx, "SOME_KEY"); !errors.Is(err, keychain.ErrNone) {
				t.Errorf("got %q, %v", got, err)
			}
			if err := keychain.Set(ctx, "SOME_KEY", "secret"); !errors.Is(err, keychain.ErrNone) {
				t.Errorf("set: %v", err)
			}
			if err := keychain.Delete(ctx, "SOME_KEY"); !errors.Is(err, keychain.ErrNone) {
				t.Errorf("delete: %v", err)
			}
		})
	}
	if _, err := os.Stat(launched); !os.IsNotExist(err) {
		t.Errorf("a bus was started to ask for a secret: %v", err)
	}
}

// What never answers, as a keychain or its bus may, costs what the context allows and no more.
func TestAKeychainThatDoesNotAnswerIsGivenUp(t *testing.T) {
	for name, prepare := range map[string]func(*testing.T){
		"the service": func(t *testing.T) { secrets.New(t).Freeze() },
		"the bus": func(t *testing.T) {
			dir, err := os.MkdirTemp("", "mlxbar")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			listener, err := net.Listen("unix", filepath.Join(dir, "bus"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { listener.Close() })
			t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+filepath.Join(dir, "bus"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			prepare(t)
			if got, err := keychain.Get(within(t, 100*time.Millisecond), "SOME_KEY"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

// What waited for its turn behind a silent keychain, and was given up, is not done later.
func TestWhatWasGivenUpBeforeItBeganIsNotDone(t *testing.T) {
	bus := secrets.New(t)
	bus.Freeze()
	for _, account := range []string{"FIRST_KEY", "SECOND_KEY"} { // the first has begun when it is given up
		if err := keychain.Set(within(t, 100*time.Millisecond), account, "secret"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", account, err)
		}
	}
	bus.Thaw()
	if got, err := keychain.Get(within(t, patience), "SECOND_KEY"); !errors.Is(err, keychain.ErrNotFound) {
		t.Errorf("got %q, %v", got, err)
	}
}
