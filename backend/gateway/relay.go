package gateway

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"mlxbar/backend/gateway/anthropic"
	"mlxbar/backend/gateway/httpconn"
	"mlxbar/backend/gateway/openai"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/requestid"
	"mlxbar/backend/gateway/sse"
	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/settings"
)

const (
	maxAnswer = 256 << 20 // an answer that is not streamed
	maxEvent  = 8 << 20   // one event of a stream: the largest picture that models make is a few MiB
	maxHeld   = 1 << 20   // what a stream may send before its first token and be held back
)

// Headers that are the same for all; nobody changes them.
var (
	jsonType        = []string{"application/json"}
	eventStreamType = []string{"text/event-stream; charset=utf-8"}
	noStore         = []string{"no-store"}
	noBuffering     = []string{"no"}
)

// relay brings one upstream's answer back to the client and keeps the limits on
// how long a stream may be silent.
type relay struct {
	x      *exchange
	target target
	name   string      // the target's, for the timer's goroutine
	silent *time.Timer // first token, then idle; nil unless streamed
	idle   time.Duration
	begun  bool // the client has the head of a stream
	// held is what came before the first token, kept back while another target can be asked in this one's place.
	held []byte
	// started is set at the first token; the timer's goroutine reads it.
	started atomic.Bool
	stream  observer        // nil until a stream has begun
	calls   turn.Calls      // of a stream that is not converted
	convert *turn.Converter // nil unless the stream is converted
	fed     int64           // bytes of events that were converted
	// What the client has been written of a stream; flushErr is why it takes no more.
	out       *http.ResponseController
	sent      int64
	unflushed bool
	flushErr  error
	status    int         // the upstream's, 0 while there is none
	head      http.Header // of the upstream's answer
}

// newRelay starts the clock for the first token.
func newRelay(x *exchange, t target, cancel context.CancelCauseFunc) *relay {
	r := &relay{x: x, target: t, name: t.name, idle: time.Duration(x.settings.Timeouts.Idle)}
	if x.request.Stream {
		first := time.Duration(x.settings.Timeouts.FirstToken)
		r.silent = time.AfterFunc(first, func() { cancel(r.silence(first)) })
	}
	return r
}

// beat tells an engine's supervisor that it is well.
func (r *relay) beat() {
	if r.target.alive != nil {
		r.target.alive()
	}
}

// silence is the problem of a stream that stopped. It runs in the timer's own
// goroutine.
func (r *relay) silence(first time.Duration) error {
	if !r.started.Load() {
		return problem.Newf(problem.FirstToken, "%s sent no token within the %s that timeouts.first_token sets.", r.name, settings.Duration(first))
	}
	return problem.Newf(problem.Timeout, "%s sent nothing, or nothing but pings, for the %s that timeouts.idle sets.", r.name, settings.Duration(r.idle))
}

func (r *relay) stop() {
	if r.silent != nil {
		r.silent.Stop()
	}
}

// answer returns an error only while nothing is written to the client.
func (r *relay) answer(ctx context.Context, resp *http.Response) error {
	if resp.StatusCode != http.StatusOK {
		return r.x.asWritten(r.target, r.target.refused(ctx, resp))
	}
	r.head = resp.Header
	media := resp.Header.Get("Content-Type")
	if media != "application/json" && media != "text/event-stream" {
		media, _, _ = mime.ParseMediaType(media)
	}
	if r.x.request.Stream && media == "text/event-stream" {
		return r.events(ctx, resp.Body)
	}
	if media != "application/json" {
		return problem.Newf(problem.UpstreamMalformed, "%s answered with something that is not JSON.", r.target.name)
	}
	return r.whole(ctx, resp)
}

// whole passes on an answer that is one JSON object.
func (r *relay) whole(ctx context.Context, resp *http.Response) error {
	size := int64(1024)
	if resp.ContentLength >= 0 {
		size = min(resp.ContentLength, maxAnswer)
	}
	body := make([]byte, 0, size+1)
	body, err := appendAll(body, io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return r.target.broken(ctx, err)
	}
	if len(body) > maxAnswer {
		return problem.Newf(problem.UpstreamMalformed, "%s answered with more than %d MiB.", r.target.name, maxAnswer>>20)
	}
	usage, ok := r.target.answer(body)
	if !ok {
		return problem.Newf(problem.UpstreamMalformed, "%s answered with something that is not a JSON object.", r.target.name)
	}
	if r.target.failed(body) { // its message may quote the provider's key
		return r.target.reported(r.target.name, body)
	}
	if cause := ending(ctx); cause != nil {
		return cause
	}
	if c := r.target.conversion; c != nil {
		var fault *problem.Error
		if body, fault = c.Answer(body); fault != nil {
			return fault
		}
	} else if r.target.follow != nil {
		r.calls.Limit = maxAnswer
		if !r.target.follow(&r.calls, body) {
			return r.miscalled()
		}
	}
	r.beat()
	r.x.use(&r.target, usage)
	r.x.settle(nil)
	h := r.x.w.Header()
	r.passHead(h)
	h["Content-Type"] = jsonType
	h.Set("Content-Length", strconv.Itoa(len(body)))
	r.x.w.WriteHeader(http.StatusOK)
	r.x.w.Write(body) // the record stands; a client that has left needs no error
	return nil
}

// events passes a stream on event by event. Its head is sent with the first
// event, so that a failure before it is a plain error answer.
func (r *relay) events(ctx context.Context, body io.Reader) error {
	reader := sse.NewReader(body, maxEvent)
	defer reader.Release()
	r.stream = r.target.observe()
	if c := r.target.conversion; c != nil {
		r.convert = c.NewStream()
	} else if r.target.follow != nil {
		r.calls.Limit = r.x.convertible
		r.stream.follow(&r.calls)
	}
	r.out = http.NewResponseController(r.x.w)
	reader.BeforeWait(r.flush)
	var converted []byte // one event's, in memory that the next one uses again
	for {
		event, err := reader.Next()
		if r.flushErr != nil {
			return r.breakOff(r.clientGone(ctx, r.flushErr), nil)
		}
		if err != nil {
			return r.end(ctx, err)
		}
		data := sse.Data(event)
		done, fault := r.observe(ctx, data)
		if fault != nil {
			return r.breakOff(fault, nil)
		}
		out := event
		switch {
		case r.convert != nil:
			if converted, fault = r.feed(converted[:0], data); fault != nil {
				return r.breakOff(fault, converted)
			}
			out = converted
		case !r.begun && len(r.held) == 0 && r.target.mends:
			out = append(anthropic.Start(data, r.x.request.Model, r.x.answerID()), event...)
		case r.target.hidesUsage && usageOnly(data):
			out = nil
		}
		if done {
			httpconn.Whole(body)
			r.complete()
		}
		if r.holds(done) {
			r.held = append(r.held, out...)
			continue
		}
		if len(r.held) > 0 {
			out, r.held = append(r.held, out...), nil
		}
		if len(out) > 0 {
			r.begin()
			if _, err := r.x.w.Write(out); err != nil {
				return r.breakOff(r.clientGone(ctx, err), nil)
			}
			r.sent += int64(len(out))
			r.unflushed = true
		}
		r.x.streamed = r.stream.seen().tokens
		r.x.running.Sent(r.sent, r.x.streamed)
		if done { // the last event goes out with the end of the body
			return nil
		}
	}
}

// flush sends what is written, before a wait for more: one call for what came together.
func (r *relay) flush() error {
	if !r.unflushed {
		return nil
	}
	r.unflushed = false
	r.flushErr = r.out.Flush()
	return r.flushErr
}

// holds says whether the client gets nothing of the stream yet: until its first token another target may be asked, and what
// servers send before it, such as a role or a message's start, comes at once and says nothing of whether they will answer.
func (r *relay) holds(done bool) bool {
	return r.x.share != nil && !r.begun && !done && !r.started.Load() && len(r.held) < maxHeld
}

// feed appends what an event is in the client's protocol, which may be nothing.
func (r *relay) feed(out, data []byte) ([]byte, error) {
	if data == nil { // a comment
		return out, nil
	}
	if r.fed += int64(len(data)); r.fed > r.x.convertible {
		return out, problem.Newf(problem.UpstreamMalformed, "%s answered with more than %d MiB.", r.target.name, r.x.convertible>>20)
	}
	out, fault := r.convert.Feed(out, data)
	if fault != nil {
		return out, fault
	}
	return out, nil
}

// complete records an answer that is whole.
func (r *relay) complete() {
	r.x.use(&r.target, r.stream.seen().usage)
	r.x.settle(nil)
}

// observe looks at the data of an event: is it the end, is it a failure.
func (r *relay) observe(ctx context.Context, data []byte) (done bool, fault error) {
	switch r.stream.Observe(data) {
	case openai.Done:
		return true, nil
	case openai.Failure:
		return false, r.target.reported(r.target.name, data)
	case openai.Malformed:
		return false, problem.Newf(problem.UpstreamMalformed, "%s sent an event that is not of its protocol.", r.target.name)
	case openai.Miscalled:
		return false, r.miscalled()
	case openai.Token:
		if r.started.CompareAndSwap(false, true) {
			if r.x.share != nil && !r.x.share.Stop() { // its time was over a moment ago, and another target is to answer
				<-ctx.Done()
				return false, ending(ctx)
			}
			ttft := milliseconds(time.Since(r.x.start))
			r.x.record.TTFTMS = &ttft
			r.x.running.Begun(ttft)
		}
		r.silent.Reset(r.idle)
		r.beat()
	case openai.Other: // such as a tool of the provider's own at work
		if r.started.Load() {
			r.silent.Reset(r.idle)
		}
	}
	return false, nil
}

// miscalled is the problem of tool calls that no client can follow. Converters find the same.
func (r *relay) miscalled() error {
	return problem.Newf(problem.UpstreamMalformed, "%s %s.", r.target.name, r.calls.Wrong)
}

// end is the end of the upstream's stream without its last event. If it said before why the
// answer ends, the answer is whole all the same, as with servers that leave [DONE] out.
func (r *relay) end(ctx context.Context, err error) error {
	if errors.Is(err, io.EOF) && r.stream.seen().finished {
		return r.endWhole(ctx)
	}
	if errors.Is(err, sse.ErrTooLarge) {
		return r.breakOff(problem.Newf(problem.UpstreamMalformed, "%s sent an event of more than %d MiB.", r.target.name, maxEvent>>20), nil)
	}
	return r.breakOff(r.target.broken(ctx, err), nil)
}

// endWhole ends a whole answer, with what is held back of it and with what the client's protocol has at its end.
func (r *relay) endWhole(ctx context.Context) error {
	out := r.held
	if r.convert != nil {
		var fault *problem.Error
		if out, fault = r.convert.Close(out); fault != nil {
			return r.breakOff(fault, out)
		}
	}
	r.complete()
	if len(out) == 0 && r.convert == nil {
		return nil
	}
	r.begin()
	if _, err := r.x.w.Write(out); err != nil {
		return r.breakOff(r.clientGone(ctx, err), nil)
	}
	return nil
}

func (r *relay) begin() {
	if r.begun {
		return
	}
	r.begun = true
	h := r.x.w.Header()
	r.passHead(h)
	h["Content-Type"], h["Cache-Control"], h["X-Accel-Buffering"] = eventStreamType, noStore, noBuffering
	r.x.w.WriteHeader(http.StatusOK)
}

func (r *relay) clientGone(ctx context.Context, err error) error {
	if cause := ending(ctx); cause != nil {
		return cause
	}
	return problem.New(problem.Cancelled, "The client left before its answer was complete.").Because(err)
}

// passHead passes on what a provider of the client's own protocol says in the head of its answer.
func (r *relay) passHead(to http.Header) {
	if !r.target.passes {
		return
	}
	for name, values := range r.head {
		if strings.HasPrefix(name, passedOn[r.target.kind]) {
			to[name] = values
		}
	}
}

// breakOff ends a stream that failed: with a plain error answer if nothing was
// sent, else with what is left to send and an error event, after which the connection is cut, so that no
// client takes the answer for whole. What was counted of a broken answer is not
// recorded as its usage.
func (r *relay) breakOff(fault error, out []byte) error {
	if !r.begun {
		return fault
	}
	e := r.x.settle(fault)
	id := requestid.From(r.x.r.Context())
	if r.convert != nil {
		out = r.convert.Fail(out, e, id)
	} else {
		out = r.x.endpoint.fail(out, e, r.x.r.URL.Path, id)
	}
	r.x.w.Write(out) // a client that has left needs no error
	http.NewResponseController(r.x.w).Flush()
	panic(http.ErrAbortHandler)
}
