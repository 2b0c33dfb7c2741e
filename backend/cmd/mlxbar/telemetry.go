package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mlxbar/backend/keychain"
	"mlxbar/backend/settings"
	"mlxbar/backend/telemetry"
)

// loginPatience lets a person find the keychain's password.
const loginPatience = 5 * time.Minute

func telemetryCommand(f *flags) *cobra.Command {
	return group("telemetry", "Where mlxbar's programs send telemetry, and the token for Logfire",
		&cobra.Command{
			Use:   "login",
			Short: "Keep Logfire's write token in the keychain",
			Long: `Keep Logfire's write token in the keychain

The token is read from a prompt that does not show it, or from stdin:

  mlxbar telemetry login <token.txt

Programs that run already take it up when they are started again.`,
			Args: noToken,
			RunE: func(c *cobra.Command, _ []string) error { return login(c) },
		},
		&cobra.Command{
			Use:   "logout",
			Short: "Remove Logfire's write token from the keychain",
			Args:  cobra.NoArgs,
			RunE:  func(c *cobra.Command, _ []string) error { return logout(c) },
		},
		&cobra.Command{
			Use:   "status",
			Short: "Say where telemetry goes",
			Args:  cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				paths, err := f.paths()
				if err != nil {
					return err
				}
				return telemetryStatus(c, paths.Settings)
			},
		})
}

// noToken refuses arguments without repeating them: one of them may be a token.
func noToken(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return errors.New("login takes no argument: the token is read from a prompt or from stdin, where no list of processes shows it")
	}
	return nil
}

func login(c *cobra.Command) error {
	token, err := readSecret(c, "token", "Logfire's write token")
	if err != nil {
		return err
	}
	if token == "" {
		return errors.New("no token was read; Logfire's project settings make one, under Write tokens")
	}
	if err := telemetry.CheckToken(token); err != nil {
		return err
	}
	return keepToken(c, keychain.LogfireToken, "The token is in the keychain. Programs of mlxbar that run already take it up when they are started again.", func(ctx context.Context) error {
		return keychain.Set(ctx, keychain.LogfireToken, token)
	})
}

func logout(c *cobra.Command) error {
	said := "The token is removed. Programs of mlxbar that run already send telemetry until they end."
	return removeToken(c, keychain.LogfireToken, said, func(ctx context.Context) (bool, error) {
		return keychain.Remove(ctx, keychain.LogfireToken)
	})
}

// keepToken puts a token into the keychain under the name of the variable that stands over it, and says so.
func keepToken(c *cobra.Command, name, said string, keep func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(c.Context(), loginPatience)
	defer cancel()
	if err := keep(ctx); err != nil {
		return orVariable(err, name)
	}
	fmt.Fprintln(c.OutOrStdout(), said)
	if _, set := os.LookupEnv(name); set {
		fmt.Fprintf(c.ErrOrStderr(), "$%s is set here and stands over it.\n", name)
	}
	return nil
}

// removeToken takes a token out of the keychain, and says so.
func removeToken(c *cobra.Command, name, said string, remove func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(c.Context(), loginPatience)
	defer cancel()
	removed, err := remove(ctx)
	if err != nil {
		return orVariable(err, name)
	}
	if !removed {
		said = "The keychain held no token."
	}
	fmt.Fprintln(c.OutOrStdout(), said)
	return nil
}

// orVariable says of a missing keychain what to do instead.
func orVariable(err error, name string) error {
	if errors.Is(err, keychain.ErrNone) {
		return fmt.Errorf("%w; set the variable %s instead", err, name)
	}
	return err
}

func telemetryStatus(c *cobra.Command, settingsFile string) error {
	current, err := settings.Read(settingsFile)
	if err != nil {
		return err
	}
	kept, why := keptToken(c.Context())
	where, err := telemetry.Where(func(name string) string {
		value, set := os.LookupEnv(name)
		if name == keychain.LogfireToken && !set {
			return kept
		}
		return value
	})
	if err != nil {
		return err
	}
	out := c.OutOrStdout()
	for _, signal := range where {
		to := strings.Join(signal.To, ", ")
		if to == "" {
			to = "sent nowhere"
		}
		fmt.Fprintf(out, "%-8s %s\n", signal.Name, to)
	}
	value, set := os.LookupEnv(keychain.LogfireToken)
	switch {
	case set && strings.TrimSpace(value) == "":
		why = fmt.Sprintf("none: $%s is set to nothing, which keeps the keychain out", keychain.LogfireToken)
	case set:
		why = "from $" + keychain.LogfireToken
	}
	fmt.Fprintf(out, "%-8s %s\n", "token", why)
	if endpoint := current.Telemetry.OTLPEndpoint; endpoint != "" && os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" {
		fmt.Fprintf(out, "%-8s sends to %s as well, as telemetry.otlp_endpoint of its settings says\n", "server", endpoint)
	}
	return nil
}

// keptToken is the keychain's token, and a word on it.
func keptToken(ctx context.Context) (token, why string) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	token, err := keychain.Get(ctx, keychain.LogfireToken)
	switch {
	case err == nil:
		return token, "from the keychain"
	case errors.Is(err, keychain.ErrNotFound):
		return "", "none: neither in the environment nor in the keychain"
	case errors.Is(err, keychain.ErrNone):
		return "", "none in the environment, and there is no keychain here"
	case errors.Is(err, keychain.ErrLocked):
		return "", "none in the environment, and the keychain is locked"
	}
	return "", "none in the environment, and the keychain was not read: " + err.Error()
}
