package server

import (
	"context"
	"time"

	"mlxbar/backend/access"
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
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
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
	}()
	s.onClose(func() error {
		cancel()
		<-ended
		last, done := context.WithTimeout(context.Background(), closeTime)
		defer done()
		s.writeUse(last)
		return nil
	})
	return nil
}

func (s *Server) writeUse(ctx context.Context) {
	if err := s.keys.WriteUse(ctx); err != nil && ctx.Err() == nil {
		s.log.Error("the last use of API keys could not be kept", "cause", err)
	}
}
