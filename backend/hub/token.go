package hub

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"mlxbar/backend/keychain"
)

// TokenName is the variable that holds the token, and the keychain's account of it.
const TokenName = "HF_TOKEN"

// keychainPatience is how long a request waits for the keychain.
const keychainPatience = 2 * time.Second

// Token finds the person's token: in the variable HF_TOKEN, else in the keychain; "" when there is none. A variable that
// is set to nothing keeps the keychain out.
func Token(ctx context.Context) (string, error) {
	if value, set := os.LookupEnv(TokenName); set {
		value = strings.TrimSpace(value)
		if err := CheckToken(value); err != nil && value != "" {
			return "", errors.New("the variable HF_TOKEN " + err.Error())
		}
		return value, nil
	}
	ctx, cancel := context.WithTimeout(ctx, keychainPatience)
	defer cancel()
	token, err := keychain.Get(ctx, TokenName)
	switch {
	case err == nil:
		return token, nil
	case errors.Is(err, keychain.ErrNotFound), errors.Is(err, keychain.ErrNone):
		return "", nil
	case errors.Is(err, keychain.ErrLocked):
		return "", errors.New("the keychain, which may have one, is locked")
	}
	return "", errors.New("the keychain, which may have one, was not read")
}

// CheckToken says why a text cannot be a token. It does not repeat it.
func CheckToken(token string) error {
	if token == "" || len(token) > 500 || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("holds no token: one has up to 500 letters, digits and signs, without blanks")
	}
	return nil
}
