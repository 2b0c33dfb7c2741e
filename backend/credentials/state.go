package credentials

import (
	"context"
	"errors"
	"fmt"

	"mlxbar/backend/keychain"
	"mlxbar/backend/settings"
)

// State is what is known of a provider's key.
type State string

// The states.
const (
	None          State = "none"                // it is asked without one
	VariableSet   State = "variable-set"        // in the variable
	VariableUnset State = "variable-not-set"    // which is missing or empty
	Kept          State = "in-keychain"         // in the keychain
	NotKept       State = "not-in-keychain"     // though the settings say so
	Locked        State = "keychain-locked"     // which waits for its password
	NoKeychain    State = "no-keychain"         // on this machine or in this session
	Unread        State = "keychain-unreadable" // it does not answer, or with an error
)

// MissingError says why a provider that has a key cannot be asked with it.
type MissingError struct {
	Provider string
	State    State
	Name     string // of the variable, or in the keychain
	Cause    error
}

func missing(p *settings.Provider, cause error) *MissingError {
	e := &MissingError{Provider: p.Name, State: Unread, Name: p.APIKeyKeychain, Cause: cause}
	switch {
	case errors.Is(cause, keychain.ErrNotFound):
		e.State = NotKept
	case errors.Is(cause, keychain.ErrLocked):
		e.State = Locked
	case errors.Is(cause, keychain.ErrNone):
		e.State = NoKeychain
	}
	return e
}

// Detail says for people what is the matter, and what to do.
func (e *MissingError) Detail() string {
	switch e.State {
	case VariableUnset:
		return fmt.Sprintf("Provider %s takes its key from the environment variable %s, which is not set in the server's environment.", e.Provider, e.Name)
	case NotKept:
		return fmt.Sprintf("Provider %s takes its key from the keychain, which has none under the name %s; set it in Settings, or with mlxbar providers set-key %s.", e.Provider, e.Name, e.Provider)
	case Locked:
		return fmt.Sprintf("Provider %s takes its key from the keychain, which is locked; unlock it and try again.", e.Provider)
	case NoKeychain:
		return fmt.Sprintf("Provider %s takes its key from the keychain, and there is none in the server's session; name a variable of the server's environment in api_key_env instead.", e.Provider)
	}
	return fmt.Sprintf("Provider %s takes its key from the keychain, which could not be read; it may wait for an answer of yours on the screen.", e.Provider)
}

// Error is Detail with the cause.
func (e *MissingError) Error() string {
	if e.Cause == nil {
		return e.Detail()
	}
	return fmt.Sprintf("%s (%v)", e.Detail(), e.Cause)
}

// Unwrap gives the cause.
func (e *MissingError) Unwrap() error { return e.Cause }

// State looks where the key of p is.
func (s *Store) State(ctx context.Context, p *settings.Provider) (State, string) {
	_, err := s.Key(ctx, p)
	var none *MissingError
	switch {
	case errors.As(err, &none):
		return none.State, none.Detail()
	case p.APIKeyEnv != "":
		return VariableSet, ""
	case p.APIKeyKeychain != "":
		return Kept, ""
	}
	return None, ""
}
