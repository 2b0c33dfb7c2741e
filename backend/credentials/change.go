package credentials

import (
	"context"
	"errors"
	"fmt"

	"mlxbar/backend/keychain"
	"mlxbar/backend/settings"
)

var (
	// ErrUnknown says that the settings name no such provider.
	ErrUnknown = errors.New("no provider has this name")
	// ErrKeychain is wrapped by what the keychain could not do.
	ErrKeychain = errors.New("the keychain did not do it")
)

// VariableError says that a provider takes its key from a variable, so that one in the keychain would be of no use.
type VariableError struct{ Provider, Variable string }

// Error says what to do.
func (e *VariableError) Error() string {
	return fmt.Sprintf("Provider %s takes its key from the environment variable %s; leave api_key_env empty in its settings first.", e.Provider, e.Variable)
}

// KeyError says why a text cannot be a key. It does not repeat it.
type KeyError struct{ Detail string }

// Error gives the reason.
func (e *KeyError) Error() string { return "the key " + e.Detail }

// maxKey is more than any provider's keys have, and what macOS's Keychain takes.
const maxKey = 2000

// Check returns a *KeyError for a text that cannot be a key.
func Check(key string) error {
	switch {
	case key == "":
		return &KeyError{"must not be empty"}
	case len(key) > maxKey:
		return &KeyError{fmt.Sprintf("must have at most %d characters", maxKey)}
	}
	for _, c := range []byte(key) {
		if c <= ' ' || c > '~' {
			return &KeyError{"must consist of printable ASCII characters, without blanks or line breaks"}
		}
	}
	return nil
}

// Set keeps key in the keychain as that of the provider of this name, in the place of an older one, and has the
// settings say so. The system may ask the person for the keychain's password meanwhile. When it fails, all is as before.
func (s *Store) Set(ctx context.Context, provider, key string) error {
	if err := Check(key); err != nil {
		return err
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.end()
	current := s.settings.Current()
	name, edit, err := s.placeFor(&current, provider)
	if err != nil {
		return err
	}
	before, beforeErr := keychain.Get(ctx, account(name)) // to put back; a locked one is unlocked by setting
	if err := keychain.Set(ctx, account(name), key); err != nil {
		return fmt.Errorf("%w: %w", ErrKeychain, err)
	}
	if edit != nil {
		if _, err := s.settings.Edit(edit); err != nil {
			if beforeErr == nil {
				return errors.Join(err, keychain.Set(ctx, account(name), before))
			}
			return errors.Join(err, keychain.Delete(ctx, account(name)))
		}
	}
	s.holds(name, entry{key: key, at: s.now()})
	return nil
}

// placeFor finds the name under which provider's key belongs, and the edit that the settings need for it, nil for none.
// The edit is known to be valid.
func (s *Store) placeFor(current *settings.Settings, provider string) (name string, edit func(*settings.Settings) error, err error) {
	p := current.Provider(provider)
	switch {
	case p == nil:
		return "", nil, ErrUnknown
	case p.APIKeyEnv != "":
		return "", nil, &VariableError{p.Name, p.APIKeyEnv}
	case p.APIKeyKeychain != "":
		return p.APIKeyKeychain, nil, nil
	}
	name = freeName(current, provider)
	edit = func(now *settings.Settings) error {
		p := now.Provider(provider)
		if p == nil {
			return ErrUnknown
		}
		p.APIKeyKeychain = name
		return nil
	}
	_, err = current.Edited(edit)
	return name, edit, err
}

// maxName leaves room for a number within the 64 characters that the settings take.
const maxName = 56

// freeName is the provider's own name, unless the key of one that was given another name since is kept under it.
func freeName(set *settings.Settings, provider string) string {
	base := provider[:min(len(provider), maxName)]
	name := base
	for n := 2; len(users(set, name)) > 0; n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	return name
}

// users are the providers that take the key of this name.
func users(set *settings.Settings, name string) (providers []string) {
	for _, p := range set.Providers {
		if p.APIKeyKeychain == name {
			providers = append(providers, p.Name)
		}
	}
	return providers
}

// Removal is what Remove did.
type Removal struct {
	// Removed says that the keychain had the key and has it no longer.
	Removed bool
	// Unnamed says that the settings named it for this provider and no longer do.
	Unnamed bool
	// Users are other providers that take the same key, which therefore stays.
	Users []string
}

// Remove takes the key of the provider of this name out of the keychain, and the word of it out of the settings: it is asked without
// one from then on. A key that another provider takes as well stays for that one. So can the key of a provider
// that the settings no longer have be removed. The key cannot be had back from here.
func (s *Store) Remove(ctx context.Context, provider string) (Removal, error) {
	if err := s.begin(ctx); err != nil {
		return Removal{}, err
	}
	defer s.end()
	current := s.settings.Current()
	name := provider // as it was kept when the provider was there
	p := current.Provider(provider)
	known := p != nil
	switch {
	case known && p.APIKeyKeychain != "":
		name = p.APIKeyKeychain
	case known && p.APIKeyEnv != "":
		return Removal{}, &VariableError{p.Name, p.APIKeyEnv}
	case known:
		return Removal{}, nil // it has none
	}
	var done Removal
	for _, user := range users(&current, name) {
		if user != provider {
			done.Users = append(done.Users, user)
		}
	}
	if len(done.Users) == 0 {
		removed, err := keychain.Remove(ctx, account(name))
		if err != nil {
			return Removal{}, fmt.Errorf("%w: %w", ErrKeychain, err)
		}
		done.Removed = removed
		s.holds(name, entry{err: keychain.ErrNotFound, at: s.now()})
	}
	if !known && !done.Removed {
		return Removal{}, ErrUnknown
	}
	if known {
		_, err := s.settings.Edit(func(now *settings.Settings) error {
			if p := now.Provider(provider); p != nil && p.APIKeyKeychain == name {
				p.APIKeyKeychain = ""
			}
			return nil
		})
		if err != nil {
			return done, err
		}
		done.Unnamed = true
	}
	return done, nil
}

// begin waits until no other change is made.
func (s *Store) begin(ctx context.Context) error {
	select {
	case s.changing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Store) end() { <-s.changing }
