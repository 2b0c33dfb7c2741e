package gateway

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"mlxbar/backend/audit"
	"mlxbar/backend/engine"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/routing"
	"mlxbar/backend/models"
	"mlxbar/backend/settings"
)

// What an answer says of who gave it.
const (
	headerBackend  = "X-Mlxbar-Backend"
	headerProvider = "X-Mlxbar-Provider"
	headerModel    = "X-Mlxbar-Model"
	headerAttempts = "X-Mlxbar-Attempts"
	// headerFailed lists the targets that were asked before, each with its kind of problem.
	headerFailed = "X-Mlxbar-Failed"
)

// ask has the targets of the plan asked, one after the other until one answers, and after a pause once
// more where that is safe. It returns an error only while nothing of an answer is written.
func (x *exchange) ask(ctx context.Context, deadline time.Time) error {
	if x.unroutable != nil {
		return problem.New(problem.Internal, "The route of this model names a provider that is not configured.").Because(x.unroutable)
	}
	left := x.plan.Usable()
	var pauses *routing.Pauses // made when something has failed
	var first *problem.Error   // of a round before, which says more than that a circuit has opened since
	for {
		last, again := x.askEach(ctx, left, deadline)
		if last == nil {
			return nil
		}
		if last.Kind == problem.CircuitOpen && first != nil {
			return first
		}
		if len(again) == 0 || ending(ctx) != nil {
			return last
		}
		if pauses == nil {
			pauses = routing.NewPauses()
		}
		wait, ok := pauses.Next(again[len(again)-1].failed, time.Until(deadline))
		if !ok {
			return last
		}
		first, left = last, left[:0:0]
		for _, a := range again {
			left = append(left, a.choice)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ending(ctx)
		}
	}
}

// retriable is a target that cannot have begun to answer, with how it failed.
type retriable struct {
	choice routing.Choice
	failed *problem.Error
}

// askEach asks each of choices once; nil when one has answered, else the last one's problem, and those
// that may be asked again.
func (x *exchange) askEach(ctx context.Context, choices []routing.Choice, deadline time.Time) (last *problem.Error, again []retriable) {
	var asked routing.Destination
	for i, c := range choices {
		done, ok := x.Router.Begin(c.Destination)
		if !ok {
			continue
		}
		if last != nil {
			x.passOver(asked, last)
		}
		asked = c.Destination
		err := x.limited(ctx, asked, done, deadline, len(choices)-i)
		if err == nil {
			return nil, nil
		}
		last = problem.From(err)
		verdict := routing.Judge(last)
		if !verdict.Elsewhere || ending(ctx) != nil {
			return last, nil
		}
		if verdict.Again {
			again = append(again, retriable{c, last})
		}
	}
	if last == nil {
		return x.nobody(), nil
	}
	return last, again
}

// nobody is why no target was asked.
func (x *exchange) nobody() *problem.Error {
	var soonest time.Time
	for _, c := range x.plan.Choices {
		if c.Skip == routing.Open && (soonest.IsZero() || c.Retry.Before(soonest)) {
			soonest = c.Retry
		}
	}
	if soonest.IsZero() && x.plan.Choices[0].Skip == routing.LocalOnly {
		return problem.Newf(problem.LocalOnly, "The route %s of this model leads to provider %s, and local_only lets nothing leave this machine.",
			x.plan.Route, x.plan.Choices[0].Provider.Name)
	}
	e := problem.New(problem.CircuitOpen, "Every target of this model failed several times in a row and is left alone for a while.")
	e.RetryAfter = max(time.Until(soonest), time.Second)
	return e
}

// limited is attempt with the target's share of the time that is left, where others are there to be asked after it: for its
// whole answer, or for the first token of a stream. The last target has all of the time.
func (x *exchange) limited(ctx context.Context, d routing.Destination, done func(routing.Outcome), deadline time.Time, targets int) error {
	x.share = nil
	if targets < 2 {
		return x.attempt(ctx, d, done)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	kind, lacks := problem.AnswerTimeout, "gave no answer"
	if x.request.Stream {
		kind, lacks = problem.FirstToken, "sent no token"
	}
	share := time.Until(deadline) / time.Duration(targets)
	x.share = time.AfterFunc(share, func() {
		cancel(problem.Newf(kind, "%s %s within %s, its share of the request's time.", nameOf(d), lacks, settings.Duration(share.Round(time.Millisecond))))
	})
	defer x.share.Stop()
	return x.attempt(ctx, d, done)
}

// attempt asks one target. done hears once how that went, also when a stream breaks off, which is a panic.
func (x *exchange) attempt(ctx context.Context, d routing.Destination, done func(routing.Outcome)) (err error) {
	cancel := func(error) {}
	if x.request.Stream { // which is ended when it falls silent
		ctx, cancel = context.WithCancelCause(ctx)
		defer cancel(nil)
	}
	defer func() { done(x.outcome(d, err)) }()
	x.w.Header().Del(headerDropped) // of a target before
	x.goesTo(d)
	x.record.Attempts++
	if x.addressed == "" && d.Provider != nil {
		x.addressed = d.Provider.Name
	}
	x.tell()
	t, release, err := x.target(ctx, d)
	if err != nil {
		return err
	}
	defer release()

	rel := newRelay(x, t, cancel)
	defer rel.stop()
	ctx = x.send(ctx, &t)
	defer func() { x.sent(ctx, rel.status, err) }()
	resp, err := x.post(ctx, &t)
	if err != nil {
		return err
	}
	lacking := ""
	if x.seemsLacking(t, resp) {
		lacking = t.url
		resp.Body.Close()
		header := t.header
		if t, err = x.remoteTarget(ctx, d, true); err != nil { // by the endpoint that it has
			return err
		}
		maps.Copy(t.header, header) // its place in a trace, too
		rel.target = t
		if resp, err = x.post(ctx, &t); err != nil {
			return err
		}
	}
	defer resp.Body.Close()
	rel.status = resp.StatusCode
	if err := rel.answer(ctx, resp); err != nil {
		if d.Provider != nil && problem.From(err).Kind == problem.UpstreamKey {
			x.Credentials.Refused(d.Provider)
		}
		return err
	}
	x.knows(lacking)
	return nil
}

// outcome is what the attempt tells of d. An engine that is the only way has a supervisor of its own, whose reasons
// say more than an open circuit.
func (x *exchange) outcome(d routing.Destination, err error) routing.Outcome {
	kind := problem.Kind(x.record.ErrorType) // of an answer that broke off
	if err != nil {
		kind = problem.From(err).Kind
	}
	switch {
	case kind == "":
		return routing.Answered
	case routing.Judge(problem.New(kind, "")).Blame && (d.Provider != nil || len(x.plan.Choices) > 1):
		return routing.Failed
	}
	return routing.Nothing
}

// passOver notes that another target is asked in place of d.
func (x *exchange) passOver(d routing.Destination, e *problem.Error) {
	name := "local"
	if d.Provider != nil {
		name = d.Provider.Name
	}
	h := x.w.Header()
	h.Set(headerFailed, strings.TrimPrefix(h.Get(headerFailed)+", "+name+"="+string(e.Kind), ", "))
	x.Logger.InfoContext(x.r.Context(), "a target failed", "request_id", x.record.RequestID, "target", name, "kind", string(e.Kind), "cause", e.Unwrap())
}

// goesTo notes where the request is sent.
func (x *exchange) goesTo(d routing.Destination) {
	x.record.Backend, x.record.Provider, x.record.ServedModel = audit.Local, "", ""
	if d.Provider != nil {
		x.record.Backend = backends[d.Provider.Kind]
		x.servedBy(d.Model, d.Provider.Name)
	} else if x.record.Attempts > 0 {
		x.servedBy("", "")
	}
}

// servedBy notes who answers.
func (x *exchange) servedBy(model, provider string) {
	x.record.ServedModel, x.record.Provider = model, provider
	if x.running != nil {
		x.running.ServedBy(string(x.record.Backend), model, provider)
	}
}

// tell puts into the answer's head who gives it.
func (x *exchange) tell() {
	h := x.w.Header()
	values := []string{string(x.record.Backend), x.record.Provider, printable(x.record.ServedModel), strconv.FormatInt(x.record.Attempts, 10)}
	for i, name := range [...]string{headerBackend, headerProvider, headerModel, headerAttempts} {
		h[name] = values[i : i+1 : i+1]
	}
}

// target makes d ready to be asked: a local engine is loaded first if it has to be.
func (x *exchange) target(ctx context.Context, d routing.Destination) (target, func(), error) {
	if d.Provider == nil {
		return x.localTarget(ctx, d.Model)
	}
	t, err := x.remoteTarget(ctx, d, false)
	return t, func() {}, err
}

// bodyFor is the request's body with the name that a target has for the model.
func (x *exchange) bodyFor(model string) ([]byte, error) {
	if model == x.request.Model {
		return x.body, nil
	}
	body, err := sjson.SetBytes(x.body, "model", model)
	if err != nil {
		return nil, problem.New(problem.Internal, "The model's name could not be replaced.").Because(err)
	}
	return body, nil
}

// nameOf is what errors call d.
func nameOf(d routing.Destination) string {
	if d.Provider == nil {
		return "The engine"
	}
	return "Provider " + d.Provider.Name
}

// under puts a path of ours below a provider's base URL, which has the version.
func under(base, path string) string {
	return strings.TrimSuffix(base, "/") + strings.TrimPrefix(path, "/v1")
}

func (x *exchange) localTarget(ctx context.Context, model string) (target, func(), error) {
	by, scope := x.Engines.Runner(model)
	if err := x.noEndpoint(by, scope); err != nil {
		x.servedBy(models.CleanName(model), by)
		return target{}, nil, err
	}
	x.waiting.Add(1)
	lease, err := x.Engines.Acquire(ctx, model)
	x.waiting.Add(-1)
	if err != nil {
		if name := x.Engines.RunnerOf(model); name != "" && !errors.Is(err, engine.ErrUnknownModel) {
			x.servedBy(models.CleanName(model), name)
		}
		return target{}, nil, x.loadFailure(ctx, model, err)
	}
	x.servedBy(models.CleanName(model), lease.Engine)
	x.tell() // what it is served by is known only now
	if x.endpoint.streams {
		x.hint = x.prefixes.Look(x.record.Client, model, x.body)
	}
	t := target{
		name: nameOf(routing.Destination{}), local: true, dialect: x.endpoint.dialect, url: lease.BaseURL + x.endpoint.path, key: lease.APIKey,
		gone: func() bool { return lease.Stopped(200 * time.Millisecond) }, alive: lease.Beat,
	}
	if by != lease.Engine { // its file was replaced by one of another format
		by, scope = x.Engines.Runner(model)
	}
	if x.enginesFallShort() || !answers(scope, x.endpoint.path) {
		err = x.converted(&t, native[settings.KindOpenAI], lease.BaseURL+"/v1", model, true)
	} else {
		t.mends = t.dialect == messagesDialect
		t.body, err = x.bodyFor(model)
	}
	if err == nil {
		err = x.keepTo(&t, by, scope)
	}
	if err != nil {
		lease.Release()
		return target{}, nil, err
	}
	return t, lease.Release, nil
}

// enginesFallShort says whether llama.cpp's own endpoint would not give what is asked for, while its chat does: its events
// of Responses lack the places by which OpenAI's SDKs put them together, and a schema for the answer counts in chat alone.
func (x *exchange) enginesFallShort() bool {
	switch x.endpoint.dialect {
	case responseDialect:
		return true
	case messagesDialect:
		return gjson.GetBytes(x.body, "output_config.format").IsObject()
	}
	return false
}

func (x *exchange) loadFailure(ctx context.Context, model string, err error) error {
	if cause := ending(ctx); cause != nil {
		return cause
	}
	if errors.Is(err, engine.ErrUnknownModel) {
		return x.unknownModel(model)
	}
	if errors.Is(err, engine.ErrClosed) {
		return problem.New(problem.ShuttingDown, "The server is shutting down.").Because(err)
	}
	var full *engine.QueueFullError
	if errors.As(err, &full) {
		e := problem.Newf(problem.QueueFull, "%d requests wait for the model %s to be loaded, and engines.queue lets no more wait.", full.Waiting, model).Because(err)
		e.RetryAfter = full.RetryAfter
		return e
	}
	if load, ok := isLoadError(err); ok && errors.Is(err, engine.ErrTooLarge) {
		return problem.Newf(problem.ModelTooLarge, "The model %s is too large: %s", model, load.Reason).Because(err)
	} else if ok {
		return problem.Newf(problem.EngineUnavailable, "The model %s could not be loaded: %s", model, load.Detail()).Because(err)
	}
	return err
}
