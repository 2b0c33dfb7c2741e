package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"mlxbar/backend/live"
)

const (
	// pingEvery keeps idle connections from being taken for dead.
	pingEvery     = 15 * time.Second
	activityEvery = time.Second
	// writeTime is how long a listener may take nothing. Then its stream is cut; it
	// can come back and go on where it was.
	writeTime = 30 * time.Second
)

type liveInput struct {
	LastEventID string `header:"Last-Event-ID" doc:"The last event seen; the stream goes on after it."`
	Activity    bool   `query:"activity" default:"true" doc:"false leaves the event activity out: nothing is measured for who does not show it."`
}

func (a *API) registerLive() {
	op := get("/api/live", "What happens, as server-sent events")
	op.Description = "Events request.start and request.end (data: a record), state (data: the status), reset (fetch everything anew), " +
		"and once a second activity (data: an ActivityEvent), which has no id and is never sent again."
	op.Responses = map[string]*huma.Response{"200": {
		Description: "A stream of events.",
		Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	huma.Register(a.huma, op, func(_ context.Context, in *liveInput) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: func(ctx huma.Context) {
			_, w := humago.Unwrap(ctx)
			a.stream(ctx.Context(), w, in.LastEventID, in.Activity)
		}}, nil
	})
}

// stream writes events until the client leaves or the server closes. Events and
// pings are written by this goroutine alone.
func (a *API) stream(ctx context.Context, w http.ResponseWriter, lastID string, activity bool) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no")
	control := http.NewResponseController(w)
	defer control.SetWriteDeadline(time.Time{})
	put := func(format string, args ...any) error {
		control.SetWriteDeadline(time.Now().Add(writeTime))
		if _, err := fmt.Fprintf(w, format, args...); err != nil {
			return err
		}
		return control.Flush()
	}
	// The place is taken before the listener hears that it is connected, and told to
	// it, so that nothing is lost between that and the first event.
	greeting := "retry: 1000\n\n"
	if lastID == "" {
		lastID = a.Live.Last()
		greeting = "id: " + lastID + "\n" + greeting
	}
	if err := put("%s", greeting); err != nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events := make(chan live.Event)
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.Live.Subscribe(ctx, lastID, func(e live.Event) error {
			select {
			case events <- e:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	defer func() { cancel(); <-done }()

	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	var measure <-chan time.Time
	if activity {
		ticker := time.NewTicker(activityEvery)
		defer ticker.Stop()
		measure = ticker.C
	}
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-a.Closing:
			a.sayGoodbye(put)
			return
		case <-ping.C:
			err = put(": ping\n\n")
		case <-measure:
			err = a.tellActivity(ctx, put)
		case e := <-events:
			err = put("id: %s\nevent: %s\ndata: %s\n\n", e.ID, e.Type, e.Data)
		}
		if err != nil {
			return
		}
	}
}

// tellActivity sends what is going on. It has no id: who comes back wants what is going on
// then.
func (a *API) tellActivity(ctx context.Context, put func(format string, args ...any) error) error {
	now := a.activityNow(ctx)
	raw, err := json.Marshal(ActivityEvent{now, a.Requests.Point(now.At)})
	if err != nil {
		return err
	}
	return put("event: %s\ndata: %s\n\n", live.Activity, raw)
}

// sayGoodbye sends the last state, so that a listener knows that the server
// drains and has not died.
func (a *API) sayGoodbye(put func(format string, args ...any) error) {
	raw, err := json.Marshal(a.Status())
	if err != nil {
		a.Logger.Error("the last state could not be sent", "cause", err)
		return
	}
	_ = put("event: %s\ndata: %s\n\n", live.State, raw) // a listener that has gone needs no goodbye
}
