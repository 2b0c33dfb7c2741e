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

// Tokens are where the person's token is kept, for the pages and the command line alike: the variable HF_TOKEN, else the keychain.
type Tokens struct{}

// Find looks for the token, and says whether it, or the word that there is none, is from the variable. A variable that is set to nothing keeps
// the keychain out. The error is why there is none: the keychain's, or what is wrong with the variable.
func (Tokens) Find(ctx context.Context) (token string, variable bool, err error) {
	if value, set := os.LookupEnv(TokenName); set {
		value = strings.TrimSpace(value)
		if err := CheckToken(value); err != nil && value != "" {
			return "", true, errors.New("the variable " + TokenName + " " + err.Error())
		}
		return value, true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, keychainPatience)
	defer cancel()
	token, err = keychain.Get(ctx, TokenName)
	return token, false, err
}

// Set keeps a token in the keychain in the place of an older one; it counts from the next request on. The system may ask for the keychain's
// password meanwhile.
func (Tokens) Set(ctx context.Context, token string) error {
	if err := CheckToken(token); err != nil {
		return err
	}
	return keychain.Set(ctx, TokenName, token)
}

// Remove takes the token out of the keychain, and says whether it had one.
func (Tokens) Remove(ctx context.Context) (bool, error) {
	return keychain.Remove(ctx, TokenName)
}

// Token is what the Hub is asked with, "" for none; the error is why there is none though there may be one.
func Token(ctx context.Context) (string, error) {
	token, variable, err := Tokens{}.Find(ctx)
	switch {
	case err == nil, variable:
		return token, err
	case errors.Is(err, keychain.ErrNotFound), errors.Is(err, keychain.ErrNone):
		return "", nil
	case errors.Is(err, keychain.ErrLocked):
		return "", errors.New("the keychain, which may have one, is locked")
	}
	return "", errors.New("the keychain, which may have one, was not read")
}

// TokenError says why a text cannot be a token. It does not repeat it.
type TokenError struct{ Detail string }

// Error gives the reason.
func (e *TokenError) Error() string { return e.Detail }

// CheckToken returns a *TokenError for a text that cannot be a token.
func CheckToken(token string) error {
	if token == "" || len(token) > 500 || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return &TokenError{"holds no token: one has up to 500 letters, digits and signs, without blanks"}
	}
	return nil
}

// maxAccount bounds the name of an account that is shown.
const maxAccount = 100

// Account asks the Hub whose token it is sent, which shows that the Hub takes it.
func (c *Client) Account(ctx context.Context) (string, error) {
	var answer struct {
		Name string `json:"name"`
	}
	if err := c.ask(ctx, "/api/whoami-v2", "", &answer); err != nil {
		return "", err
	}
	if answer.Name == "" || len(answer.Name) > maxAccount {
		return "", &Error{Kind: Malformed, Host: c.base.Host, Cause: errors.New("it names no account")}
	}
	return answer.Name, nil
}
