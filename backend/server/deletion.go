package server

import "context"

// runDeletions sums up what an older mlxbar recorded, and deletes for good what people
// have deleted, once they can no longer take it back.
func (s *Server) runDeletions(ctx context.Context) {
	if err := s.records.Sum(ctx); err != nil && ctx.Err() == nil {
		s.log.Error("older records are read one by one where sums over them are asked for", "cause", err)
	}
	s.records.RunDeletions(ctx, s.log)
}
