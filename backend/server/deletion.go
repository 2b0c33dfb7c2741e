package server

import "context"

// startDeletions sums up what an older mlxbar recorded, and deletes for good what people
// have deleted, once they can no longer take it back. It returns what ends it.
func (s *Server) startDeletions() func() error {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.records.Sum(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("older records are read one by one where sums over them are asked for", "cause", err)
		}
		s.records.RunDeletions(ctx, s.log)
	}()
	return func() error { cancel(); <-ended; return nil }
}
