package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"mlxbar/backend/keychain"
)

// keychainPatience is how long a program that starts waits for its token.
const keychainPatience = 500 * time.Millisecond

// Environment reads what os.Getenv does, and LOGFIRE_TOKEN out of the keychain where no variable
// of that name is set. One that is set to nothing keeps the keychain out. The keychain is asked
// when the token is, once; that there is none is told to log, which may be nil.
func Environment(ctx context.Context, log *slog.Logger) func(string) string {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	token := sync.OnceValue(func() string { return tokenOfKeychain(ctx, log) })
	return func(name string) string {
		value, set := os.LookupEnv(name)
		if name == keychain.LogfireToken && !set {
			return token()
		}
		return value
	}
}

func tokenOfKeychain(ctx context.Context, log *slog.Logger) string {
	ctx, cancel := context.WithTimeout(ctx, keychainPatience)
	defer cancel()
	token, err := keychain.Get(ctx, keychain.LogfireToken)
	switch {
	case err == nil:
		return token
	case errors.Is(err, keychain.ErrNotFound), errors.Is(err, keychain.ErrNone):
		log.Debug("no token for Logfire", "cause", err)
	default: // there may be one
		log.Warn("the keychain was not read; telemetry goes without its LOGFIRE_TOKEN", "cause", err)
	}
	return ""
}
