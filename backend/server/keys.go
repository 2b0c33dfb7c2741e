package server

import (
	"context"
	"os"
	"slices"
	"time"

	"mlxbar/backend/access"
	"mlxbar/backend/credentials"
	"mlxbar/backend/settings"
)

// useEvery is how often the database is told when keys were last used.
const useEvery = time.Minute

// openKeys reads the API keys, and writes now and then, and at the end, when each was last used.
func (s *Server) openKeys(ctx context.Context) error {
	keys, err := access.NewGuard(ctx, access.NewStore(s.db))
	if err != nil {
		return err
	}
	s.keys = keys
	s.onClose(func() error {
		last, done := context.WithTimeout(context.Background(), closeTime)
		defer done()
		s.writeUse(last)
		return nil
	})
	s.onClose(background(s.keepUse))
	s.onClose(background(func(ctx context.Context) { s.keys.RunDeletions(ctx, s.log) }))
	return nil
}

// openCredentials reads the providers' keys that the keychain has, so that not even a first request waits for it, and does so
// anew when the providers are changed.
func (s *Server) openCredentials(context.Context) error {
	s.credentials = credentials.New(s.settings, os.Getenv)
	s.onClose(func() error { s.credentials.Close(); return nil })
	s.credentials.Refresh(s.settings.Current())
	unsubscribe := s.settings.Subscribe(func(old, now settings.Settings) {
		if !slices.Equal(old.Providers, now.Providers) {
			s.credentials.Refresh(now)
		}
	})
	s.onClose(func() error { unsubscribe(); return nil })
	return nil
}

// keepUse writes now and then when keys were last used.
func (s *Server) keepUse(ctx context.Context) {
	tick := time.NewTicker(useEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.writeUse(ctx)
		}
	}
}

func (s *Server) writeUse(ctx context.Context) {
	if err := s.keys.WriteUse(ctx); err != nil && ctx.Err() == nil {
		s.log.Error("the last use of API keys could not be kept", "cause", err)
	}
}
