package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/live"
)

const (
	// pingEvery keeps idle connections from being taken for dead.
	pingEvery     = 15 * time.Second
	activityEvery = time.Second
	// writeTime is how long a listener may take nothing. Then its stream is cut; it
	// can come back and go on where it was.
	writeTime = 30 * time.Second
	// goodbyeTime is that time once the server ends.
	goodbyeTime = 2 * time.Second
)

type liveInput struct {
	LastEventID string `header:"Last-Event-ID" doc:"The last event seen; the stream goes on after it."`
	Activity    bool   `query:"activity" default:"true" doc:"false leaves the event activity out: nothing is measured for who does not show it."`
}

func (a *API) registerLive() {
	op := get("/api/live", "What happens, as server-sent events")
	op.Description = "Events request.start and request.end (data: a record), state (data: the status), reset (fetch everything anew), " +
		"benchmark (data: a BenchmarkJob, a few times a second at most while one runs, and at its end), " +
		"models (data: a ModelList, when a model has appeared, gone, or is no longer what it was), " +
		"download (data: a DownloadJob, at each change of its status and once a second while bytes come), " +
		"export (data: an ExportEvent, how a download with a watch ended), " +
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

// liveStream is one listener's connection. One goroutine writes to it: run's.
type liveStream struct {
	api     *API
	w       http.ResponseWriter
	control *http.ResponseController
}

// stream writes events until the client leaves or the hub closes.
func (a *API) stream(request context.Context, w http.ResponseWriter, lastID string, activity bool) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no")
	s := &liveStream{api: a, w: w, control: http.NewResponseController(w)}
	defer s.control.SetWriteDeadline(time.Time{})
	// The place is taken before the listener hears that it is connected, and told to
	// it, so that nothing is lost between that and the first event.
	greeting := "retry: 1000\n\n"
	if lastID == "" {
		lastID = a.Live.Last()
		greeting = "id: " + lastID + "\n" + greeting
	}
	if err := s.put("%s", greeting); err != nil {
		return
	}
	// A server that cuts its requests short lets listeners hear how they ended.
	ctx, cancel := context.WithCancel(context.WithoutCancel(request))
	var work sync.WaitGroup
	defer func() { cancel(); work.Wait() }()
	left := context.AfterFunc(request, func() {
		if cut := new(problem.Error); !errors.As(context.Cause(request), &cut) {
			cancel()
		}
	})
	defer left()
	events, ended := make(chan live.Event), make(chan error, 1)
	work.Go(func() {
		ended <- a.Live.Subscribe(ctx, lastID, func(e live.Event) error {
			select {
			case events <- e:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	work.Go(func() {
		select {
		case <-a.Live.Closed():
			s.hurry()
		case <-ctx.Done():
		}
	})
	s.run(ctx, events, ended, activity)
}

func (s *liveStream) run(ctx context.Context, events <-chan live.Event, ended <-chan error, activity bool) {
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
		case err := <-ended:
			if errors.Is(err, live.ErrClosed) {
				s.sayGoodbye()
			}
			return
		case <-ping.C:
			err = s.put(": ping\n\n")
		case <-measure:
			err = s.tellActivity(ctx)
		case e := <-events:
			err = s.put("id: %s\nevent: %s\ndata: %s\n\n", e.ID, e.Type, e.Data)
		}
		if err != nil {
			return
		}
	}
}

func (s *liveStream) put(format string, args ...any) error {
	s.control.SetWriteDeadline(time.Now().Add(writeTime))
	select {
	case <-s.api.Live.Closed(): // looked at after the deadline is set: whichever comes last is the short one
		s.hurry()
	default:
	}
	if _, err := fmt.Fprintf(s.w, format, args...); err != nil {
		return err
	}
	return s.control.Flush()
}

// hurry lets a listener that takes nothing not hold up the server's end.
func (s *liveStream) hurry() { s.control.SetWriteDeadline(time.Now().Add(goodbyeTime)) }

// tellActivity sends what is going on. It has no id: who comes back wants what is going on
// then.
func (s *liveStream) tellActivity(ctx context.Context) error {
	now := s.api.activityNow(ctx)
	raw, err := json.Marshal(ActivityEvent{now, s.api.Requests.Point(now.At)})
	if err != nil {
		return err
	}
	return s.put("event: %s\ndata: %s\n\n", live.Activity, raw)
}

// sayGoodbye sends the last state, so that a listener knows that the server
// drains and has not died.
func (s *liveStream) sayGoodbye() {
	raw, err := json.Marshal(s.api.Status())
	if err != nil {
		s.api.Logger.Error("the last state could not be sent", "cause", err)
		return
	}
	_ = s.put("event: %s\ndata: %s\n\n", live.State, raw) // a listener that has gone needs no goodbye
}
