package server

import "mlxbar/backend/live"

// publishState tells live listeners how the server is now.
func (s *Server) publishState() {
	if !s.serving.Load() {
		return // nobody can listen yet, and not all that the status tells of is there
	}
	s.publish(live.State, s.status())
}
