// Package testkit holds what several packages' tests need: a scripted upstream
// on a real socket and small helpers around it. Only tests import it.
package testkit

import (
	"testing"
	"time"

	"mlxbar/backend/testkit/upstream"
)

// Patience is how long a test waits for something that should come at once. It
// bounds a failing test and is no measure of speed.
const Patience = 30 * time.Second

// NewUpstream starts a scripted server of OpenAI's and Anthropic's protocols that ends with the test.
func NewUpstream(t testing.TB, opts ...upstream.Option) *upstream.Server {
	t.Helper()
	s, err := upstream.Start(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the upstream: %v", err)
		}
	})
	return s
}

// Receive takes the next value from c, or fails the test.
func Receive[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v, ok := <-c:
		if !ok {
			t.Fatal("the channel was closed")
		}
		return v
	case <-time.After(Patience):
		t.Fatal("waited in vain")
	}
	panic("unreachable")
}
