package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"mlxbar/backend/gateway/httpconn"
	"mlxbar/backend/gateway/openai"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/requestid"
	"mlxbar/backend/gateway/sse"
	"mlxbar/backend/settings"
)

const (
	maxAnswer = 256 << 20 // an answer that is not streamed
	maxEvent  = 16 << 20  // one event of a stream
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
	silent *time.Timer // first token, then idle; nil unless streamed
	idle   time.Duration
	begun  bool // the client has the head of a stream
	// started is set at the first token; the timer's goroutine reads it.
	started atomic.Bool
	stream  openai.Stream
	status  int // the upstream's, 0 while there is none
}

// newRelay starts the clock for the first token.
func newRelay(x *exchange, t target, cancel context.CancelCauseFunc) *relay {
	r := &relay{x: x, target: t, idle: time.Duration(x.settings.Timeouts.Idle)}
	if x.request.Stream {
		first := time.Duration(x.settings.Timeouts.FirstToken)
		r.silent = time.AfterFunc(first, func() { cancel(r.silence(first)) })
	}
	return r
}

// silence is the problem of a stream that stopped. It runs in the timer's own
// goroutine.
func (r *relay) silence(first time.Duration) error {
	if !r.started.Load() {
		return problem.Newf(problem.FirstToken, "%s sent no token within the %s that timeouts.first_token sets.", r.target.name, settings.Duration(first))
	}
	return problem.Newf(problem.Timeout, "%s sent nothing for the %s that timeouts.idle sets.", r.target.name, settings.Duration(r.idle))
}

func (r *relay) stop() {
	if r.silent != nil {
		r.silent.Stop()
	}
}

// answer returns an error only while nothing is written to the client.
func (r *relay) answer(ctx context.Context, resp *http.Response) error {
	if resp.StatusCode != http.StatusOK {
		return r.target.refused(ctx, resp)
	}
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
	usage, ok := openai.ParseAnswer(body)
	if !ok {
		return problem.Newf(problem.UpstreamMalformed, "%s answered with something that is not a JSON object.", r.target.name)
	}
	if openai.ReportsFailure(body) { // its message may quote the provider's key
		return openai.ParseReported(r.target.name, body)
	}
	if cause := ending(ctx); cause != nil {
		return cause
	}
	r.x.use(usage)
	r.x.settle(nil)
	h := r.x.w.Header()
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
	control := http.NewResponseController(r.x.w)
	sent := int64(0)
	for {
		event, err := reader.Next()
		if err != nil {
			return r.end(ctx, err)
		}
		done, fault := r.observe(sse.Data(event))
		if fault != nil {
			return r.breakOff(fault)
		}
		if done {
			httpconn.Whole(body)
			r.x.use(r.stream.Usage)
			r.x.settle(nil)
		}
		r.begin()
		if _, err := r.x.w.Write(event); err != nil {
			return r.breakOff(r.clientGone(ctx, err))
		}
		sent += int64(len(event))
		if !done && reader.Pending() {
			continue // one flush for what came together
		}
		if err := control.Flush(); err != nil {
			return r.breakOff(r.clientGone(ctx, err))
		}
		r.x.running.Sent(sent, r.stream.Tokens)
		if done {
			return nil
		}
	}
}

// observe looks at the data of an event: is it the end, is it a failure.
func (r *relay) observe(data []byte) (done bool, fault error) {
	switch r.stream.Observe(data) {
	case openai.Done:
		return true, nil
	case openai.Failure:
		return false, openai.ParseReported(r.target.name, data)
	case openai.Malformed:
		return false, problem.Newf(problem.UpstreamMalformed, "%s sent an event that is not of its protocol.", r.target.name)
	case openai.Token:
		if r.started.CompareAndSwap(false, true) {
			ttft := milliseconds(time.Since(r.x.start))
			r.x.record.TTFTMS = &ttft
			r.x.running.Begun(ttft)
		}
		r.silent.Reset(r.idle)
	}
	return false, nil
}

// end is the end of the upstream's stream without [DONE]. If a finish_reason
// came, the answer is whole all the same, as with servers that leave it out.
func (r *relay) end(ctx context.Context, err error) error {
	if errors.Is(err, io.EOF) && r.stream.Finished {
		r.x.use(r.stream.Usage)
		r.x.settle(nil)
		return nil
	}
	if errors.Is(err, sse.ErrTooLarge) {
		return r.breakOff(problem.Newf(problem.UpstreamMalformed, "%s sent an event of more than %d MiB.", r.target.name, maxEvent>>20))
	}
	return r.breakOff(r.target.broken(ctx, err))
}

func (r *relay) begin() {
	if r.begun {
		return
	}
	r.begun = true
	h := r.x.w.Header()
	h["Content-Type"], h["Cache-Control"], h["X-Accel-Buffering"] = eventStreamType, noStore, noBuffering
	r.x.w.WriteHeader(http.StatusOK)
}

func (r *relay) clientGone(ctx context.Context, err error) error {
	if cause := ending(ctx); cause != nil {
		return cause
	}
	return problem.New(problem.Cancelled, "The client left before its answer was complete.").Because(err)
}

// breakOff ends a stream that failed: with a plain error answer if nothing was
// sent, else with an error event, after which the connection is cut, so that no
// client takes the answer for whole. What was counted of a broken answer is not
// recorded as its usage.
func (r *relay) breakOff(fault error) error {
	if !r.begun {
		return fault
	}
	e := r.x.settle(fault)
	doc := e.Document(r.x.r.URL.Path, requestid.From(r.x.r.Context()))
	if raw, err := json.Marshal(doc); err == nil {
		var event bytes.Buffer
		event.WriteString("data: ")
		event.Write(raw)
		event.WriteString("\n\n")
		r.x.w.Write(event.Bytes())
		http.NewResponseController(r.x.w).Flush()
	}
	panic(http.ErrAbortHandler)
}
