package server

import (
	"mlxbar/backend/admin"
	"mlxbar/backend/live"
)

// publishState tells live listeners how the server is now, and gives what it told them.
func (s *Server) publishState() (now admin.Status) {
	if !s.serving.Load() {
		return now // nobody can listen yet, nothing is loaded, and not all that the status tells of is there
	}
	now = s.status()
	s.publish(live.State, now)
	return now
}
