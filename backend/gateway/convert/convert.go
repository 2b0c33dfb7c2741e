// Package convert joins the packages of the protocols: a request that came in one
// of them goes to an upstream that speaks another, and the upstream's answer, stream
// or not, comes back in the client's. It does no I/O and has no clock.
package convert

import (
	"mlxbar/backend/gateway/anthropic"
	"mlxbar/backend/gateway/openai/chat"
	"mlxbar/backend/gateway/openai/responses"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/gateway/wire"
)

// A Protocol is a way to ask a model for its next turn.
type Protocol int

// The protocols. Responses is spoken by clients alone: to upstreams that know it,
// its requests are passed on as they are.
const (
	Chat Protocol = iota
	Responses
	Messages
)

// String names p as messages to people do.
func (p Protocol) String() string {
	return [...]string{"Chat Completions", "Responses", "Messages"}[p]
}

// Path is where a protocol's requests go.
func (p Protocol) Path() string {
	return [...]string{"/v1/chat/completions", "/v1/responses", "/v1/messages"}[p]
}

// Options say what is known of the two ends.
type Options struct {
	Upstream string // what the upstream is called in errors
	Model    string // what to ask it for; "" for what the client asked for
	ID       string // of the answer, after the protocol's prefix; the request's will do
	Created  int64  // seconds since 1970: when the answer is said to have been made
	Served   string // the model's name in the answer; "" for what the upstream says

	Chat      chat.Options
	Anthropic anthropic.Options
}

// A Conversion is one request in two protocols.
type Conversion struct {
	Body   []byte      // what to send to the upstream; nothing here needs it after that
	Notes  []wire.Note // what was left out (turn.Header writes them)
	Stream bool

	from, to Protocol
	name     string
	reply    turn.Reply
	asked    *responses.Asked
}

// New converts a request of a client. Its error names what the upstream's protocol
// has no way to say.
func New(from, to Protocol, body []byte, o Options) (*Conversion, *problem.Error) {
	c := &Conversion{from: from, to: to, name: o.Upstream}
	request, err := c.decode(body)
	if err != nil {
		return nil, err
	}
	request.Size = len(body)
	if o.Model != "" {
		request.Model = o.Model
	}
	names := turn.NewNames(request)
	if to == Messages {
		c.Body, c.Notes, err = anthropic.EncodeRequest(request, names, o.Anthropic)
	} else {
		c.Body, c.Notes, err = chat.EncodeRequest(request, names, o.Chat)
	}
	if err != nil {
		return nil, err
	}
	c.Stream = request.Stream
	c.reply = turn.Reply{ID: o.ID, Model: o.Served, Created: o.Created, Names: names, Usage: request.Usage}
	return c, nil
}

func (c *Conversion) decode(body []byte) (request *turn.Request, err *problem.Error) {
	if c.to == Responses || c.from == c.to {
		return nil, problem.Newf(problem.Internal, "Nothing converts %s to %s.", c.from, c.to)
	}
	switch c.from {
	case Messages:
		return anthropic.DecodeRequest(body)
	case Responses:
		request, c.asked, err = responses.DecodeRequest(body)
		return request, err
	}
	return chat.DecodeRequest(body)
}

// Answer converts the upstream's answer that is not streamed.
func (c *Conversion) Answer(body []byte) ([]byte, *problem.Error) {
	var a *turn.Answer
	var err *problem.Error
	if c.to == Messages {
		a, err = anthropic.DecodeAnswer(c.name, body)
	} else {
		a, err = chat.DecodeAnswer(c.name, body)
	}
	if err != nil {
		return nil, err
	}
	switch c.from {
	case Messages:
		return anthropic.EncodeAnswer(a, c.reply)
	case Responses:
		return responses.EncodeAnswer(a, c.reply, c.asked), nil
	}
	return chat.EncodeAnswer(a, c.reply), nil
}

// NewStream makes the converter of the upstream's stream. It is for one answer.
func (c *Conversion) NewStream() *turn.Converter {
	var d turn.Decoder = chat.NewDecoder(c.name)
	if c.to == Messages {
		d = anthropic.NewDecoder(c.name)
	}
	switch c.from {
	case Messages:
		return turn.NewConverter(d, anthropic.NewEncoder(c.reply))
	case Responses:
		return turn.NewConverter(d, responses.NewEncoder(c.reply, c.asked))
	}
	return turn.NewConverter(d, chat.NewEncoder(c.reply))
}
