package server

import "context"

// startDeletions deletes for good what people have deleted, once they can no longer
// take it back, and returns what ends it.
func (s *Server) startDeletions() func() error {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.records.RunDeletions(ctx, s.log)
	}()
	return func() error { cancel(); <-ended; return nil }
}
