package datadir

import "time"

// ServerInfo is run/server.json: how tray, window and command line find the
// server that runs on a data folder. StartedAt is when the system started the
// process, which tells it from a later one with the same number.
type ServerInfo struct {
	PID       int       `json:"pid"`
	StartedAt time.Time `json:"started_at"`
	Addr      string    `json:"addr"` // host and port
	URL       string    `json:"url"`
	Version   string    `json:"version"`
}
