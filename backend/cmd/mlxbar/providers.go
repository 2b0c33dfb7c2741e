package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mlxbar/backend/admin"
	"mlxbar/backend/credentials"
	"mlxbar/backend/desktop"
	"mlxbar/backend/keychain"
	"mlxbar/backend/settings"
)

// testPatience is longer than the server asks a provider.
const testPatience = 20 * time.Second

func providersCommand(f *flags) *cobra.Command {
	return group("providers", "Servers elsewhere that requests may be passed on to, and their keys",
		&cobra.Command{
			Use:   "list",
			Short: "List the providers, and where their keys are; not the keys themselves",
			Args:  cobra.NoArgs,
			RunE:  func(c *cobra.Command, _ []string) error { return f.listProviders(c) },
		},
		&cobra.Command{
			Use:   "set-key NAME",
			Short: "Keep a provider's key in the keychain",
			Long: `Keep a provider's key in the keychain

The key is read from a prompt that does not show it, or from stdin:

  mlxbar providers set-key openai <key.txt

It counts from the next request on, and the settings name it in api_key_keychain. Whether
the server runs does not matter.`,
			Args: nameAlone,
			RunE: func(c *cobra.Command, args []string) error { return f.setProviderKey(c, args[0]) },
		},
		&cobra.Command{
			Use:   "remove-key NAME",
			Short: "Remove a provider's key from the keychain",
			Long: `Remove a provider's key from the keychain

The provider is asked without a key from then on. A key that another provider takes
as well stays in the keychain for that one. The key of a provider that the settings no
longer have can be removed too: it stays otherwise, for when the provider comes back.`,
			Args: nameAlone,
			RunE: func(c *cobra.Command, args []string) error { return f.removeProviderKey(c, args[0]) },
		},
		&cobra.Command{
			Use:   "test NAME",
			Short: "Have the server ask a provider for its models, to see whether it can be asked",
			Args:  nameAlone,
			RunE:  func(c *cobra.Command, args []string) error { return f.testProvider(c, args[0]) },
		})
}

// nameAlone refuses other arguments without repeating them: one of them may be a key.
func nameAlone(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s takes the name of a provider and nothing else; a key is read from a prompt or from stdin, where no list of processes shows it", c.Name())
	}
	return nil
}

// keeper is the server, or in its absence the settings and the keychain themselves.
type keeper interface {
	list(ctx context.Context) ([]admin.Provider, error)
	setKey(ctx context.Context, name, key string) error
	removeKey(ctx context.Context, name string) (admin.KeyRemoval, error)
}

// withKeeper has do work with the server if one runs.
func (f *flags) withKeeper(c *cobra.Command, do func(k keeper, serves bool) error) error {
	paths, err := f.paths()
	if err != nil {
		return err
	}
	host := desktop.NewHost(paths.Root)
	defer host.Close()
	_, err = host.Find(c.Context())
	if err == nil {
		return do(served{host}, true)
	}
	if !errors.Is(err, desktop.ErrNotRunning) {
		return err
	}
	if _, err := os.Stat(paths.Settings); errors.Is(err, fs.ErrNotExist) {
		return errors.New("there are no settings yet, and so no providers; `mlxbar serve` makes them")
	}
	set, err := settings.Open(paths.Settings)
	if err != nil {
		return err
	}
	store := credentials.New(set, os.Getenv)
	defer store.Close()
	return do(stopped{set, store}, false)
}

// served asks the server.
type served struct{ host *desktop.Host }

func keyPath(name string) string { return "/api/providers/" + url.PathEscape(name) + "/key" }

func (s served) list(ctx context.Context) ([]admin.Provider, error) {
	var answer struct{ Providers []admin.Provider }
	err := s.host.Ask(ctx, http.MethodGet, "/api/providers", nil, &answer)
	return answer.Providers, err
}

func (s served) setKey(ctx context.Context, name, key string) error {
	return s.host.Ask(ctx, http.MethodPut, keyPath(name), admin.SecretKey{Key: key}, nil)
}

func (s served) removeKey(ctx context.Context, name string) (done admin.KeyRemoval, err error) {
	err = s.host.Ask(ctx, http.MethodDelete, keyPath(name), nil, &done)
	return done, err
}

// stopped does the same without a server.
type stopped struct {
	set   *settings.Manager
	store *credentials.Store
}

func (s stopped) list(ctx context.Context) (list []admin.Provider, err error) {
	current := s.set.Current()
	for i := range current.Providers {
		list = append(list, admin.DescribeProvider(ctx, s.store, &current.Providers[i]))
	}
	return list, nil
}

func (s stopped) setKey(ctx context.Context, name, key string) error {
	return explainedKey(s.store.Set(ctx, name, key))
}

func (s stopped) removeKey(ctx context.Context, name string) (admin.KeyRemoval, error) {
	done, err := s.store.Remove(ctx, name)
	return admin.KeyRemoval{Removed: done.Removed, Unnamed: done.Unnamed, Users: done.Users}, explainedKey(err)
}

// explainedKey says of a missing keychain what to do instead.
func explainedKey(err error) error {
	if errors.Is(err, keychain.ErrNone) {
		return errors.New("there is no keychain in this session; name an environment variable in the provider's api_key_env instead")
	}
	return err
}

func (f *flags) listProviders(c *cobra.Command) error {
	return f.withKeeper(c, func(k keeper, serves bool) error {
		ctx, cancel := context.WithTimeout(c.Context(), testPatience) // the keychain may be slow
		defer cancel()
		list, err := k.list(ctx)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			fmt.Fprintln(c.ErrOrStderr(), "No providers yet: every request stays on this machine.")
			return nil
		}
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tKIND\tADDRESS\tKEY")
		for _, p := range list {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", p.Name, p.Kind, p.BaseURL, keyWord(p))
		}
		if err := w.Flush(); err != nil {
			return err
		}
		if !serves {
			fmt.Fprintln(c.ErrOrStderr(), "The server is not running: variables are told as this shell has them.")
		}
		return nil
	})
}

// keyWord is where the key of p is, in a few words.
func keyWord(p admin.Provider) string {
	switch credentials.State(p.Key.State) {
	case credentials.None:
		return "none"
	case credentials.VariableSet:
		return "$" + p.APIKeyEnv
	case credentials.VariableUnset:
		return "$" + p.APIKeyEnv + ", which is not set"
	case credentials.Kept:
		return "in the keychain"
	case credentials.NotKept:
		return "missing from the keychain"
	case credentials.Locked:
		return "in the keychain, which is locked"
	case credentials.NoKeychain:
		return "in a keychain, and there is none here"
	}
	return "in the keychain, which cannot be read"
}

func (f *flags) setProviderKey(c *cobra.Command, name string) error {
	return f.withKeeper(c, func(k keeper, _ bool) error {
		ctx, cancel := context.WithTimeout(c.Context(), loginPatience)
		defer cancel()
		list, err := k.list(ctx)
		if err != nil {
			return err
		}
		if err := takesKey(list, name); err != nil {
			return err
		}
		key, err := readSecret(c, "key", "The key of "+name)
		if err != nil {
			return err
		}
		if err := credentials.Check(key); err != nil {
			return err
		}
		if err := k.setKey(ctx, name, key); err != nil {
			return err
		}
		fmt.Fprintf(c.OutOrStdout(), "The key of %s is in the keychain, and counts from the next request on.\n", name)
		return nil
	})
}

// takesKey finds out before a key is asked for whether it will be of use. The name is not repeated: it may be a key.
func takesKey(list []admin.Provider, name string) error {
	var names []string
	for _, p := range list {
		switch {
		case p.Name == name && p.APIKeyEnv != "":
			return &credentials.VariableError{Provider: p.Name, Variable: p.APIKeyEnv}
		case p.Name == name:
			return nil
		}
		names = append(names, p.Name)
	}
	if len(names) == 0 {
		return errors.New("the settings name no provider")
	}
	return fmt.Errorf("the settings name no provider of this name; there is %s", strings.Join(names, ", "))
}

func (f *flags) removeProviderKey(c *cobra.Command, name string) error {
	return f.withKeeper(c, func(k keeper, _ bool) error {
		ctx, cancel := context.WithTimeout(c.Context(), loginPatience)
		defer cancel()
		done, err := k.removeKey(ctx, name)
		if err != nil {
			return err
		}
		said := "The key of " + name + " is removed from the keychain"
		switch {
		case len(done.Users) > 0:
			said = fmt.Sprintf("%s takes no key any more; the keychain keeps it for %s", name, strings.Join(done.Users, ", "))
		case !done.Removed && done.Unnamed:
			said = fmt.Sprintf("The keychain had no key of %s, and the settings name none any more", name)
		case !done.Removed:
			said = name + " has no key in the keychain"
		}
		fmt.Fprintln(c.OutOrStdout(), said+".")
		return nil
	})
}

func (f *flags) testProvider(c *cobra.Command, name string) error {
	return f.askServer(func(host *desktop.Host) error {
		ctx, cancel := context.WithTimeout(c.Context(), testPatience)
		defer cancel()
		var got admin.ProviderTest
		if err := host.Ask(ctx, http.MethodPost, "/api/providers/"+url.PathEscape(name)+"/test", nil, &got); err != nil {
			return err
		}
		if !got.OK {
			return errors.New(got.Problem.Detail)
		}
		fmt.Fprintf(c.OutOrStdout(), "Provider %s answers in %.0f ms and lists %d models.\n", name, got.DurationMS, got.Models)
		return nil
	})
}
