package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"mlxbar/backend/engine"
)

// Status is the server at one moment.
type Status struct {
	Version   string          `json:"version"`
	PID       int             `json:"pid"`
	StartedAt time.Time       `json:"started_at"`
	Addr      string          `json:"addr" doc:"Host and port that the server listens on."`
	AddrFixed bool            `json:"addr_fixed" doc:"The command line gave addr: server.addr of the settings is not in force."`
	Exposed   bool            `json:"exposed" doc:"Other machines can reach addr, so requests need an API key whatever server.require_api_key says."`
	URL       string          `json:"url" doc:"Where programs on this machine find it." example:"http://127.0.0.1:10242"`
	State     string          `json:"state" enum:"running,draining"`
	Audit     Health          `json:"audit"`
	Settings  Health          `json:"settings"`
	Prices    Health          `json:"prices"`
	Engines   []engine.Status `json:"engines" nullable:"false"`
	Memory    engine.Memory   `json:"memory" doc:"What models take of the machine."`
	InFlight  int64           `json:"in_flight" doc:"Inference requests being served."`
	DataDir   string          `json:"data_dir"`
	// Downloading is there for who shows no more than that of them.
	Downloading int `json:"downloading" doc:"Downloads of models that are under way."`
}

// Health says whether a part is well, and if not, what a person should know.
type Health struct {
	OK      bool   `json:"ok"`
	Problem string `json:"problem"`
}

// HealthOf is the health that err tells of.
func HealthOf(err error) Health {
	if err == nil {
		return Health{OK: true}
	}
	return Health{Problem: err.Error()}
}

// States of a server.
const (
	StateRunning  = "running"
	StateDraining = "draining"
)

type statusOutput struct{ Body Status }

func (a *API) registerStatus() {
	huma.Register(a.huma, get("/api/status", "State of the server"), func(context.Context, *struct{}) (*statusOutput, error) {
		return &statusOutput{a.Status()}, nil
	})
	huma.Register(a.huma, post("/api/shutdown", "Drain and stop the server", http.StatusAccepted), func(context.Context, *struct{}) (*struct{}, error) {
		a.Shutdown()
		return nil, nil
	})
	openapi := get("/api/openapi.json", "This description")
	huma.Register(a.huma, openapi, func(context.Context, *struct{}) (*struct{ Body json.RawMessage }, error) {
		raw, err := a.OpenAPI()
		return &struct{ Body json.RawMessage }{raw}, err
	})
}
