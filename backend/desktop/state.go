package desktop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Phase is where a server is in its life.
type Phase string

// The phases.
const (
	Stopped  Phase = "stopped"
	Starting Phase = "starting"
	Running  Phase = "running"
	Stopping Phase = "stopping"
	Failed   Phase = "failed" // it died, would not start, or does not let us in; Detail says which
)

// State is what tray and window show of the server.
type State struct {
	Phase  Phase  `json:"phase"`
	Detail string `json:"detail"`
	Server Server `json:"server"` // the zero value when none is known
	// Downloading is how many models are being downloaded.
	Downloading int `json:"downloading"`
	// Failing is how many models' engines have failed.
	Failing int `json:"failing"`
}

func (s State) same(other State) bool {
	return s.Phase == other.Phase && s.Detail == other.Detail && s.Downloading == other.Downloading && s.Failing == other.Failing &&
		s.Server.PID == other.Server.PID && s.Server.URL == other.Server.URL
}

const died = "The server ended unexpectedly. Its log, logs/server.log in the data folder, may say why."

// Observe looks once how the server fares.
func (h *Host) Observe(ctx context.Context) State {
	s, err := h.recorded()
	switch {
	case errors.Is(err, ErrNotRunning):
		return State{Phase: Stopped}
	case err != nil:
		return State{Phase: Failed, Detail: err.Error()}
	case !alive(s):
		return State{Phase: Failed, Detail: died}
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	resp, err := h.request(ctx, http.MethodGet, s, "/api/status")
	if err != nil { // it has an address but does not answer there, not yet or no longer
		return State{Phase: Starting, Server: s}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return State{Phase: Failed, Detail: fmt.Sprintf("The server at %s does not let this program in (%s).", s.Addr, resp.Status)}
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return State{Phase: Starting, Server: s}
	}
	return fromStatus(s, raw).State
}

// told is what a status tells.
type told struct {
	State
	moved bool // the server is no longer where it was asked
}

// fromStatus reads as much of the body of /api/status as matters here.
func fromStatus(s Server, raw []byte) told {
	var status struct {
		State       string `json:"state"`
		Addr        string `json:"addr"`
		Downloading int    `json:"downloading"`
		Engines     []struct {
			State string `json:"state"`
		} `json:"engines"`
	}
	if err := json.Unmarshal(raw, &status); err != nil {
		return told{State: State{Phase: Failed, Detail: fmt.Sprintf("The server at %s gave an answer that is not mlxbar's.", s.Addr)}}
	}
	now := told{State: State{Phase: Running, Server: s, Downloading: status.Downloading}, moved: status.Addr != "" && status.Addr != s.Addr}
	for _, e := range status.Engines {
		if e.State == "failed" {
			now.Failing++
		}
	}
	if status.State == "draining" {
		now.Phase = Stopping
	}
	return now
}
