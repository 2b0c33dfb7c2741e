// Package requestid gives every request one identifier that its answer, its
// audit record and its log lines share.
package requestid

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
)

// Header is where a client may send an identifier and where it always finds
// the one in force.
const Header = "X-Request-ID"

// Canonical is Header as net/http keeps it.
var Canonical = http.CanonicalHeaderKey(Header)

const maxLength = 128

type contextKey struct{}

// New returns a fresh identifier: "req_" and 128 random bits in hex.
func New() string {
	var b [16]byte
	rand.Read(b[:]) // never fails; see crypto/rand
	text := [4 + 2*len(b)]byte{'r', 'e', 'q', '_'}
	hex.Encode(text[4:], b[:])
	return string(text[:])
}

// FromHeader returns the client's identifier if it is 1 to 128 printable ASCII
// characters, else a new one. A bad identifier is replaced, not refused: it is
// a courtesy to the client and no reason to fail its request.
func FromHeader(h http.Header) string {
	if ids := h[Canonical]; len(ids) > 0 && valid(ids[0]) {
		return ids[0]
	}
	return New()
}

func valid(id string) bool {
	if id == "" || len(id) > maxLength {
		return false
	}
	for i := range len(id) {
		if id[i] < 0x20 || id[i] > 0x7e {
			return false
		}
	}
	return true
}

// With returns a context that carries id.
func With(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, contextKey{}, id)
}

// From returns the identifier that ctx carries, or "" outside a request.
func From(ctx context.Context) string {
	id, _ := ctx.Value(contextKey{}).(string)
	return id
}
