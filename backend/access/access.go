// Package access keeps the API keys that mlxbar gives out, as hashes, and holds each to
// what it may: which models, how many requests a minute, how many tokens a day. A key itself is
// shown once, when it is made, and is nowhere afterwards.
package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"mlxbar/backend/gateway/routing"
)

// Key is what is kept of a key.
type Key struct {
	ID     string `json:"id" doc:"What records name it by."`
	Name   string `json:"name"`
	Hint   string `json:"hint" doc:"The key's last four characters, to tell it from others."`
	Limits Limits `json:"limits"`

	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at" doc:"To the minute; null when it was never used."`
}

// Limits are what a key may. Zero values limit nothing.
type Limits struct {
	Models            []string `json:"models" required:"false" nullable:"false" doc:"Names or patterns such as gpt-*; none allows every model."`
	RequestsPerMinute int      `json:"requests_per_minute" required:"false" doc:"0 for no limit."`
	TokensPerDay      int64    `json:"tokens_per_day" required:"false" doc:"Prompt and answer together, from midnight to midnight on this machine's clock; 0 for no limit."`
}

// Allows says whether a key of these limits may ask model.
func (l Limits) Allows(model string) bool {
	for _, pattern := range l.Models {
		if routing.Match(pattern, model) {
			return true
		}
	}
	return len(l.Models) == 0
}

// Errors of this package; the edges translate them.
var (
	ErrNotFound = errors.New("there is no such key")
	ErrUnknown  = errors.New("the key is not known")
)

// FieldError is one fault of what a key is to be.
type FieldError struct{ Field, Detail string }

func (e *FieldError) Error() string { return e.Field + " " + e.Detail }

const (
	maxName   = 80
	maxModels = 64
	maxModel  = 256
	maxRPM    = 1_000_000
	maxTokens = 1_000_000_000_000
)

// check holds a name and limits to what can be kept.
func check(name string, l Limits) error {
	switch {
	case strings.TrimSpace(name) == "":
		return &FieldError{"name", "must not be empty; say who uses the key"}
	case len(name) > maxName:
		return &FieldError{"name", fmt.Sprintf("must have at most %d bytes", maxName)}
	case strings.ContainsFunc(name, unicode.IsControl):
		return &FieldError{"name", "must not hold control characters"}
	case looksLikeKey(name):
		return &FieldError{"name", "looks like a key; it is kept and shown, so choose a name"}
	case len(l.Models) > maxModels:
		return &FieldError{"limits.models", fmt.Sprintf("must have at most %d entries", maxModels)}
	case l.RequestsPerMinute < 0 || l.RequestsPerMinute > maxRPM:
		return &FieldError{"limits.requests_per_minute", fmt.Sprintf("must be from 0 to %d", maxRPM)}
	case l.TokensPerDay < 0 || l.TokensPerDay > maxTokens:
		return &FieldError{"limits.tokens_per_day", fmt.Sprintf("must be from 0 to %d", int64(maxTokens))}
	}
	for i, m := range l.Models {
		if m == "" || len(m) > maxModel || strings.ContainsFunc(m, unicode.IsControl) {
			return &FieldError{fmt.Sprintf("limits.models[%d]", i), fmt.Sprintf("must be a model's name or a pattern of 1 to %d bytes", maxModel)}
		}
	}
	return nil
}

// prefix lets people and secret scanners tell where a key is from.
const prefix = "sk-mlxbar-"

// newSecret makes a key of 256 random bits.
func newSecret() string {
	raw := make([]byte, 32)
	rand.Read(raw) // never fails
	return prefix + base64.RawURLEncoding.EncodeToString(raw)
}

func newID() string {
	raw := make([]byte, 6)
	rand.Read(raw)
	return "key_" + base64.RawURLEncoding.EncodeToString(raw)
}

// hash is what is kept of a key. One of 256 random bits needs no slow hash: nobody can try them all.
func hash(secret string) [sha256.Size]byte { return sha256.Sum256([]byte(secret)) }

func hint(secret string) string { return secret[len(secret)-4:] }

func looksLikeKey(text string) bool { return strings.Contains(text, "sk-") && len(text) > 20 }
