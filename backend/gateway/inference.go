package gateway

import (
	"context"
	"net/http"
	"slices"
	"time"

	"mlxbar/backend/activity"
	"mlxbar/backend/audit"
	"mlxbar/backend/gateway/openai"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/requestid"
	"mlxbar/backend/gateway/routing"
	"mlxbar/backend/settings"
)

const (
	// cancelGrace is what a client that reads slowly has to hear that its request was cancelled.
	cancelGrace = 2 * time.Second
	// overtimeGrace is what it has when the request's time is over.
	overtimeGrace = 10 * time.Second
)

// exchange is one inference request on its way through.
type exchange struct {
	*Gateway
	w        http.ResponseWriter
	r        *http.Request
	endpoint endpoint
	settings settings.Settings
	start    time.Time

	pace       pace
	body       []byte
	request    openai.Request
	plan       routing.Plan
	addressed  string      // the provider that was asked first
	unroutable error       // why there is no plan
	share      *time.Timer // ends the attempt that runs at its share of the time; nil for a last target
	record     audit.Record
	streamed   int64             // tokens that the client was sent so far
	hint       string            // what the prompt's beginning says, of one for an engine
	left       []audit.Departure // whom else it was sent to so far
	running    *activity.Request // nil until the record is in the audit
	settled    bool              // and it is complete
	followed   context.Context   // nil unless Instruments follow it
}

// inference serves an endpoint: parse, resolve, record, lease, send, relay, record.
func (g *Gateway) inference(e endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		g.inFlight.Add(1)
		defer g.inFlight.Add(-1)
		x := &exchange{Gateway: g, w: w, r: r, endpoint: e, settings: g.Settings(), start: time.Now()}
		total := time.Duration(e.total(x.settings.Timeouts))
		ctx, cancel := context.WithCancelCause(r.Context())
		defer cancel(nil)
		x.pace.control = http.NewResponseController(w)
		defer x.pace.end()
		timer := time.AfterFunc(total, func() {
			cancel(problem.Newf(problem.Timeout, "The request ran over the limit of %s that timeouts.%s sets.", settings.Duration(total), e.limit))
			x.pace.hurry(overtimeGrace)
		})
		defer timer.Stop()
		defer x.unfollow()
		defer x.settleUnfinished()

		if err := x.serve(ctx, cancel, total); err != nil {
			x.fail(err)
		}
	}
}

// serve returns an error only while nothing of an answer is written.
func (x *exchange) serve(ctx context.Context, cancel context.CancelCauseFunc, total time.Duration) error {
	key, err := x.identify(x.r)
	if err == nil {
		err = x.read(x.start.Add(total))
	}
	x.describe(key.ID)
	beginErr := x.Audit.Begin(ctx, &x.record)
	ctx = x.follow(ctx, beginErr == nil)
	if beginErr != nil {
		return x.unrecorded(ctx, beginErr)
	}
	x.begin(cancel)
	if err != nil {
		return err
	}
	if err := x.admit(); err != nil {
		return err
	}
	return x.ask(ctx, x.start.Add(total))
}

// read takes the body in and checks it.
func (x *exchange) read(deadline time.Time) error {
	body, err := readBody(x.w, x.r, int64(x.settings.Server.MaxBodyMB)<<20, deadline, &x.pace)
	if err != nil {
		return err
	}
	x.body = body
	request, fault := x.endpoint.parse(body)
	x.request = request
	if fault != nil {
		return fault
	}
	return nil
}

// describe fills in what is known of the record before the request is served.
func (x *exchange) describe(keyID string) {
	x.record = audit.Record{
		RequestID: requestid.From(x.r.Context()),
		StartedAt: x.start.UTC().Truncate(time.Millisecond),
		Model:     x.request.Model,
		Backend:   audit.Local,
		Endpoint:  x.endpoint.path,
		Stream:    x.request.Stream,
		Status:    audit.Running,
		Client:    clientOf(x.r.UserAgent()),
		KeyID:     keyID,
	}
	if x.request.Model == "" { // it is refused, and a route of * must not claim it
		return
	}
	x.plan, x.unroutable = x.Router.Plan(&x.settings, x.request.Model)
	if x.unroutable == nil {
		first := x.plan.Choices[0]
		x.goesTo(first.Destination)
		if first.Skip == "" && first.Leaves() { // should it be cut short, it may have left
			x.record.Left = []audit.Departure{{Provider: first.Provider.Name}}
		}
	}
}

// begin puts the request among those that run, from where it can be cancelled.
func (x *exchange) begin(cancel context.CancelCauseFunc) {
	rec := &x.record
	x.running = x.Requests.Begin(activity.Running{
		ID: rec.ID, RequestID: rec.RequestID, StartedAt: rec.StartedAt, Model: rec.Model, ServedModel: rec.ServedModel,
		Backend: string(rec.Backend), Provider: rec.Provider, Endpoint: rec.Endpoint, Stream: rec.Stream, Client: rec.Client,
	}, func(cause error) {
		cancel(cause)
		x.pace.hurry(cancelGrace)
	})
}

// unrecorded is why a request that could not be recorded is refused.
func (x *exchange) unrecorded(ctx context.Context, err error) error {
	if cause := ending(ctx); cause != nil && x.Audit.Err() == nil {
		return cause
	}
	return auditUnavailable(err)
}

// fail records err and answers with it.
func (x *exchange) fail(err error) {
	e := x.settle(err)
	problem.Write(x.w, x.r, e)
}

// settle completes the record; err is nil for a success. Only the first call counts.
func (x *exchange) settle(err error) *problem.Error {
	var e *problem.Error
	status, httpStatus := audit.Success, int64(http.StatusOK)
	if err != nil {
		e = problem.From(err)
		status, httpStatus = statusOf(e), int64(e.Status())
		x.record.ErrorType = string(e.Kind)
		logFailure(x.Logger, x.r, e)
	}
	if x.settled {
		return e
	}
	x.settled = true
	x.record.Left = slices.Clone(x.left) // more may come
	duration := milliseconds(time.Since(x.start))
	x.record.Status, x.record.HTTPStatus, x.record.DurationMS = status, &httpStatus, &duration
	if x.running == nil { // it could not be recorded, and was refused
		return e
	}
	x.running.End(x.generated())
	x.spend()
	if err := x.Audit.End(&x.record); err != nil {
		x.Logger.Error("a request could not be recorded", "request_id", x.record.RequestID, "cause", err)
	}
	return e
}

// settleUnfinished is for a panic: the request is recorded before it goes on.
func (x *exchange) settleUnfinished() {
	if !x.settled {
		x.settle(problem.New(problem.Internal, "Something went wrong inside mlxbar."))
	}
}

func (x *exchange) use(t *target, u openai.Usage) {
	x.record.PromptTokens, x.record.CompletionTokens, x.record.TotalTokens = u.Prompt, u.Completion, u.Total
	x.record.CachedTokens, x.record.PromptMS, x.record.GenerationMS = u.Cached, u.PromptMS, u.GenerationMS
	x.record.CostUSD = x.cost(t, u)
	x.record.Hint = ""
	// Much that was reused is no reason to complain: several may ask in turn, each with a beginning of its own.
	if reused := u.Prompt != nil && u.Cached != nil && 2**u.Cached >= *u.Prompt; t.local && !reused {
		x.record.Hint = x.hint
	}
}

// generated is what the answer says of its own tokens, 0 for nothing.
func (x *exchange) generated() int64 {
	if n := x.record.CompletionTokens; n != nil {
		return *n
	}
	return 0
}

func statusOf(e *problem.Error) audit.Status {
	switch e.Kind {
	case problem.Timeout, problem.FirstToken, problem.ConnectTimeout, problem.AnswerTimeout:
		return audit.TimedOut
	case problem.Cancelled:
		return audit.Cancelled
	case problem.ShuttingDown:
		return audit.Interrupted
	}
	return audit.Failed
}

// milliseconds keeps microseconds: enough to read, short to export.
func milliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}
