package admin

import (
	"testing"
	"time"
)

func TestASecretIsValidForItsLifeAndUntilItsEnd(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := newSecrets(time.Minute)
	secret := s.make(now)
	if !s.valid(secret, now.Add(59*time.Second)) || s.valid(secret, now.Add(time.Minute)) || s.valid("another", now) {
		t.Error("a secret must be valid for its life, and no other text ever")
	}
	if s.end(secret, now.Add(2*time.Minute)) {
		t.Error("a secret that is too old was taken")
	}
	secret = s.make(now)
	if !s.end(secret, now) || s.end(secret, now) || s.valid(secret, now) {
		t.Error("a secret that was ended must be taken once")
	}
}

func TestSecretsAreBounded(t *testing.T) {
	now := time.Now()
	s := newSecrets(time.Minute)
	for range 10 * maxSecrets {
		s.make(now)
	}
	if len(s.expires) > maxSecrets {
		t.Errorf("%d secrets are kept, at most %d", len(s.expires), maxSecrets)
	}
}
