package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"mlxbar/backend/gateway/convert"
	"mlxbar/backend/gateway/openai/chat"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/routing"
	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/settings"
)

// headerDropped lists the fields of a request that another protocol has no place for.
const headerDropped = "X-Mlxbar-Dropped"

// passedOn begins the headers that a provider of the client's own protocol is sent as they came, and whose
// answers' are passed back.
var passedOn = map[settings.ProviderKind]string{settings.KindOpenAI: "Openai-", settings.KindAnthropic: "Anthropic-"}

// remoteTarget is how the request is put to a provider: as it came where it speaks the client's protocol, else converted.
// One without Responses is asked by Chat Completions for them.
func (x *exchange) remoteTarget(ctx context.Context, d routing.Destination, withoutResponses bool) (target, error) {
	p := d.Provider
	t := target{name: nameOf(d), kind: p.Kind, dialect: x.endpoint.dialect, header: http.Header{}, url: under(p.BaseURL, x.endpoint.path)}
	if d.Leaves() {
		t.away = p
	}
	var err error
	if t.key, err = x.keyOf(ctx, p); err != nil {
		return target{}, err
	}
	if x.endpoint.dialect == responseDialect {
		withoutResponses = withoutResponses || x.lacks(t)
	}
	switch {
	case x.endpoint.kind == p.Kind && !withoutResponses:
		t.passes = true
		x.passOn(&t, p)
		t.body, err = x.bodyFor(d.Model)
		if err == nil && (t.dialect == chatDialect || t.dialect == completionDialect) && x.request.Stream {
			err = askUsage(&t)
		}
	case x.endpoint.turn != nil:
		err = x.converted(&t, native[t.kind], p.BaseURL, d.Model, p.OnThisMachine())
	default:
		err = problem.Newf(problem.NotOffered, "Provider %s speaks %s's protocol, which has no %s.", p.Name, title[p.Kind], strings.TrimPrefix(x.endpoint.path, "/v1/"))
	}
	return t, err
}

var title = map[settings.ProviderKind]string{settings.KindOpenAI: "OpenAI", settings.KindAnthropic: "Anthropic"}

// detailed is an error with a sentence for people.
type detailed interface {
	error
	Detail() string
}

// keyOf is what p is asked with, "" for nothing; its error is a problem.
func (g *Gateway) keyOf(ctx context.Context, p *settings.Provider) (string, error) {
	key, err := g.Credentials.Key(ctx, p)
	if err == nil {
		return key, nil
	}
	if cause := ending(ctx); cause != nil {
		return "", cause
	}
	if missing, ok := errors.AsType[detailed](err); ok {
		return "", problem.New(problem.UpstreamKey, missing.Detail()).Because(err)
	}
	return "", err
}

// namesAccount are the headers by which a client says whose account it uses. That is one with the provider that it has in
// mind, and nobody else's business.
var namesAccount = []string{"Openai-Organization", "Openai-Project"}

// passOn adds the headers of the client's that are of its protocol.
func (x *exchange) passOn(t *target, p *settings.Provider) {
	for name, values := range x.r.Header {
		if strings.HasPrefix(name, passedOn[t.kind]) && (p.Name == x.addressed || !slices.Contains(namesAccount, name)) {
			t.header[name] = values
		}
	}
}

// converted puts the request into t's own protocol; near is for what only servers of one's own understand.
func (x *exchange) converted(t *target, to spoken, base, model string, near bool) error {
	c, fault := convert.New(*x.endpoint.turn, to.as, x.body, convert.Options{
		Upstream: t.name, Model: model, ID: x.answerID(), Created: x.start.Unix(), Served: x.request.Model,
		Chat: chat.Options{Extended: near},
	})
	if fault != nil {
		fault.Elsewhere = true // a target of the client's own protocol can say it
		return fault
	}
	t.dialect, t.url, t.body, t.conversion = to.dialect, under(base, to.path), c.Body, c
	if len(c.Notes) > 0 {
		x.w.Header().Set(headerDropped, turn.Header(c.Notes))
	}
	if t.dialect == chatDialect && x.request.Stream {
		return askUsage(t) // the converter takes it out again
	}
	return nil
}

// inResponses is what the fields of a chat are called in the Responses that it was made of.
var inResponses = map[string]string{"body.messages": "body.input", "body.response_format": "body.text.format", "body.max_tokens": "body.max_output_tokens"}

// asWritten has a refusal name the field that the client wrote, where t was asked in another protocol.
func (x *exchange) asWritten(t target, err error) error {
	if e, ok := errors.AsType[*problem.Error](err); ok && t.conversion != nil && x.endpoint.dialect == responseDialect {
		for i, f := range e.Fields {
			if name, ok := inResponses[f.Location]; ok {
				e.Fields[i].Location = name
			}
		}
	}
	return err
}

// askUsage has a provider tell the tokens of a stream, for the record, where the client did not ask for them.
// The event that tells them is then kept from the client.
func askUsage(t *target) error {
	if asked := gjson.GetBytes(t.body, "stream_options.include_usage"); asked.Type == gjson.True {
		return nil
	}
	body, err := sjson.SetBytes(t.body, "stream_options.include_usage", true)
	if err != nil {
		return problem.New(problem.Internal, "The usage of the stream could not be asked for.").Because(err)
	}
	t.body, t.hidesUsage = body, true
	return nil
}

// lackingFor is how long it is believed that an upstream has no such endpoint.
const lackingFor = 10 * time.Minute

// lacks says whether the upstream was found to have no such endpoint of late.
func (x *exchange) lacks(t target) bool {
	since, found := x.lacking.Load(t.url)
	return found && time.Since(since.(time.Time)) < lackingFor
}

// seemsLacking says whether an upstream's answer can mean that it has no Responses. It may as well mean that something
// that the request names is not there, which the same request by Chat Completions then shows.
func (x *exchange) seemsLacking(t target, resp *http.Response) bool {
	if t.local || t.dialect != responseDialect {
		return false
	}
	switch resp.StatusCode {
	case http.StatusNotFound:
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
		resp.Body = &readAgain{bytes.NewReader(body), resp.Body}
		return err == nil && gjson.GetBytes(body, "error.code").Str != "model_not_found"
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return true
	}
	return false
}

// knows remembers that an upstream has no such endpoint, once the same request was answered by another.
func (x *exchange) knows(lacking string) {
	if lacking != "" {
		x.lacking.Store(lacking, time.Now())
	}
}

// readAgain is a body whose beginning was looked at.
type readAgain struct {
	io.Reader
	body io.Closer
}

func (b *readAgain) Close() error { return b.body.Close() }

// answerID is what the id of an answer that the gateway makes is made of.
func (x *exchange) answerID() string { return strings.TrimPrefix(x.record.RequestID, "req_") }
