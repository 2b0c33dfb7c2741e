// Package keychain keeps mlxbar's secrets where the system keeps a person's own: in the Keychain of
// macOS, or in the Secret Service of a Linux desktop. A machine without one is no fault: it holds
// no secret, and who asks hears so at once.
package keychain

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/zalando/go-keyring"
)

// Service is what all of mlxbar's secrets are kept under.
const Service = "mlxbar"

// LogfireToken is the account of Logfire's write token, and the variable that stands over it.
const LogfireToken = "LOGFIRE_TOKEN"

var (
	// ErrNotFound says that the keychain has no secret of that name.
	ErrNotFound = errors.New("the keychain has no such secret")
	// ErrNone says that this machine, or this session on it, has no keychain.
	ErrNone = errors.New("there is no keychain here")
	// ErrLocked says that the keychain waits for its password.
	ErrLocked = errors.New("the keychain is locked")
)

// Get reads a secret. It waits no longer than ctx allows. On Linux it asks a person for nothing; whether macOS asks
// for the password of a locked Keychain has not been seen.
func Get(ctx context.Context, account string) (string, error) {
	if err := look(ctx, silently); err != nil {
		return "", fmt.Errorf("read %s from the keychain: %w", account, err)
	}
	return within(ctx, "read "+account+" from the keychain", func() (string, error) { return keyring.Get(Service, account) })
}

// Set keeps a secret in the place of an older one. The system may ask the person for the keychain's password.
func Set(ctx context.Context, account, secret string) error {
	if err := look(ctx, asking); err != nil {
		return fmt.Errorf("keep %s in the keychain: %w", account, err)
	}
	_, err := within(ctx, "keep "+account+" in the keychain", func() (struct{}, error) { return struct{}{}, keyring.Set(Service, account, secret) })
	return err
}

// Delete removes a secret. The system may ask the person for the keychain's password.
func Delete(ctx context.Context, account string) error {
	if err := look(ctx, asking); err != nil {
		return fmt.Errorf("remove %s from the keychain: %w", account, err)
	}
	_, err := within(ctx, "remove "+account+" from the keychain", func() (struct{}, error) { return struct{}{}, keyring.Delete(Service, account) })
	return err
}

// Remove is Delete of a secret that may not be there; removed says whether it was.
func Remove(ctx context.Context, account string) (removed bool, err error) {
	err = Delete(ctx, account)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// manner is whether the system may ask the person for the keychain's password meanwhile.
type manner int

const (
	silently manner = iota
	asking
)

// one lets one at a time speak to the keychain.
var one sync.Mutex

// within waits for what the library does, which knows no context, until ctx ends.
func within[T any](ctx context.Context, what string, do func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		one.Lock()
		defer one.Unlock()
		if ctx.Err() != nil { // who asked has left while it waited for its turn
			return
		}
		defer letGo()
		value, err := do()
		done <- outcome{value, err}
	}()
	select {
	case o := <-done:
		switch {
		case errors.Is(o.err, keyring.ErrNotFound):
			o.err = fmt.Errorf("%s: %w", what, ErrNotFound)
		case errors.Is(o.err, keyring.ErrUnsupportedPlatform):
			o.err = fmt.Errorf("%s: %w", what, ErrNone)
		case o.err != nil:
			o.err = fmt.Errorf("%s: %w", what, o.err)
		}
		return o.value, o.err
	case <-ctx.Done():
		var none T
		return none, fmt.Errorf("%s: %w", what, ctx.Err())
	}
}
