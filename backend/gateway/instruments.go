package gateway

import (
	"context"
	"maps"
	"net/http"
	"time"

	"mlxbar/backend/audit"
	"mlxbar/backend/gateway/problem"
)

// Instruments follow requests for traces and metrics. They are given the record, which is all
// that anyone is told of a request, and no part of its body or its answer.
type Instruments interface {
	// Begin follows a request that came at start and whose record has begun; recorded is false
	// when it could not. The context is the request's from then on.
	Begin(ctx context.Context, r *http.Request, rec *audit.Record, start time.Time, recorded bool) context.Context
	// Send follows one attempt to have it answered at the address to, and gives the headers that
	// go there with it. Sent ends that: with the status that came, 0 for none, and the kind of
	// problem, "" for none.
	Send(ctx context.Context, rec *audit.Record, to string) (context.Context, http.Header)
	Sent(ctx context.Context, status int, kind string)
	// End is called when the request is over and its record complete.
	End(ctx context.Context, rec *audit.Record)
}

// follow has the request followed until unfollow.
func (x *exchange) follow(ctx context.Context, recorded bool) context.Context {
	if x.Instruments == nil {
		return ctx
	}
	x.followed = x.Instruments.Begin(ctx, x.r, &x.record, x.start, recorded)
	if x.followed != ctx {
		x.r = x.r.WithContext(x.followed) // by which its log lines are told apart
	}
	return x.followed
}

func (x *exchange) unfollow() {
	if x.followed != nil {
		x.Instruments.End(x.followed, &x.record)
	}
}

// send has one try at t followed until sent.
func (x *exchange) send(ctx context.Context, t *target) context.Context {
	if x.Instruments != nil {
		var trace http.Header
		ctx, trace = x.Instruments.Send(ctx, &x.record, t.url)
		if t.header == nil {
			t.header = trace
		} else {
			maps.Copy(t.header, trace)
		}
	}
	return ctx
}

// sent ends it: err is the problem of an answer that never began, the record has that of one that
// broke off.
func (x *exchange) sent(ctx context.Context, status int, err error) {
	if x.Instruments == nil {
		return
	}
	kind := x.record.ErrorType
	if err != nil {
		kind = string(problem.From(err).Kind)
	}
	x.Instruments.Sent(ctx, status, kind)
}
