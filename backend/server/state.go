package server

import "mlxbar/backend/live"

// publishState tells live listeners how the server is now.
func (s *Server) publishState() {
	if s.admin == nil || s.listener == nil {
		return // still starting: nobody can listen yet
	}
	s.publish(live.State, s.status())
}
