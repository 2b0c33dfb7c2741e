package admin

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"mlxbar/backend/activity"
	"mlxbar/backend/engine"
	"mlxbar/backend/gateway/problem"
)

// ActivityNow is what the server does at one moment.
type ActivityNow struct {
	At      time.Time          `json:"at"`
	Machine activity.Machine   `json:"machine"`
	Process activity.Process   `json:"process" doc:"The server itself, without its engines."`
	Engines []EngineActivity   `json:"engines" nullable:"false"`
	Running []activity.Running `json:"running" nullable:"false"`
}

// Activity is ActivityNow and what led to it.
type Activity struct {
	ActivityNow
	History []activity.Point `json:"history" nullable:"false" doc:"One point for each five seconds of the last ten minutes, the oldest first; the newest is still filling."`
}

// ActivityEvent is the data of the live event activity.
type ActivityEvent struct {
	ActivityNow
	Point activity.Point `json:"point" doc:"The newest point of the history, still filling."`
}

// EngineActivity is what one model's engine uses.
type EngineActivity struct {
	Model       string       `json:"model"`
	Engine      string       `json:"engine"`
	State       engine.State `json:"state" enum:"idle,installing,loading,ready,failed"`
	PID         int          `json:"pid" doc:"0 while it has no process."`
	CPUPercent  float64      `json:"cpu_percent" doc:"100 is one processor, so it can be more."`
	MemoryBytes uint64       `json:"memory_bytes"`
}

type activityOutput struct{ Body Activity }

type requestsOutput struct {
	Body struct {
		Requests []activity.Running `json:"requests" nullable:"false"`
	}
}

type requestInput struct {
	RequestID string `path:"request_id" doc:"As in X-Request-ID."`
}

func (a *API) registerActivity() {
	huma.Register(a.huma, get("/api/activity", "What the server does and uses at this moment"), func(ctx context.Context, _ *struct{}) (*activityOutput, error) {
		now := a.activityNow(ctx)
		return &activityOutput{Activity{ActivityNow: now, History: a.Requests.History(now.At)}}, nil
	})
	huma.Register(a.huma, get("/api/requests", "Requests that run, the oldest first"), func(context.Context, *struct{}) (*requestsOutput, error) {
		out := &requestsOutput{}
		out.Body.Requests = a.Requests.List()
		return out, nil
	})
	huma.Register(a.huma, post("/api/requests/{request_id}/cancel", "End a running request, at its engine or provider too", http.StatusAccepted), a.cancelRequest)
	// Of the events of /api/live this is the only one whose data no operation answers with.
	for _, event := range []reflect.Type{reflect.TypeFor[ActivityEvent](), reflect.TypeFor[ExportEvent]()} {
		a.huma.OpenAPI().Components.Schemas.Schema(event, true, "")
	}
}

func (a *API) cancelRequest(_ context.Context, in *requestInput) (*struct{}, error) {
	cause := problem.New(problem.Cancelled, "The request was cancelled in mlxbar.")
	if !a.Requests.Cancel(in.RequestID, cause) {
		return nil, problem.New(problem.NotFound, "No request of this id is running.")
	}
	return nil, nil
}

// activityNow measures, unless somebody else had it measured just now.
func (a *API) activityNow(ctx context.Context) ActivityNow {
	states := a.Engines.States()
	pids := make([]int, 0, len(states))
	for _, s := range states {
		if s.PID != 0 {
			pids = append(pids, s.PID)
		}
	}
	used := a.meter.Sample(ctx, pids)
	now := ActivityNow{
		At: time.Now().UTC().Truncate(time.Millisecond), Machine: used.Machine, Process: used.Process,
		Engines: make([]EngineActivity, 0, len(states)), Running: a.Requests.List(),
	}
	for _, s := range states {
		now.Engines = append(now.Engines, EngineActivity{
			Model: s.Model, Engine: s.Engine, State: s.State, PID: s.PID, CPUPercent: used.CPUPercent[s.PID], MemoryBytes: s.MemoryBytes,
		})
	}
	return now
}
