package anthropic

import (
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/wire"
)

const maxModelName = 256

// Endpoint is a path of the API that takes messages.
type Endpoint struct {
	Path    string
	Streams bool // whether its answers can be streamed; such answers need max_tokens
}

// The endpoints.
var (
	Messages    = Endpoint{Path: "/v1/messages", Streams: true}
	CountTokens = Endpoint{Path: "/v1/messages/count_tokens"}
)

// Request is what the gateway has to know of a request's body. The body itself is
// passed on as it came.
type Request struct {
	Model  string
	Stream bool
}

// ParseRequest checks body for endpoint. On an error it returns what it could learn
// all the same, so that a refused request can be recorded.
func ParseRequest(endpoint Endpoint, body []byte) (Request, *problem.Error) {
	root, fault := wire.Root(body)
	if fault != nil {
		return Request{}, fault
	}
	return parse(endpoint, root)
}

func parse(endpoint Endpoint, root gjson.Result) (Request, *problem.Error) {
	p := parser{endpoint: endpoint}
	seen := map[string]bool{}
	root.ForEach(func(key, v gjson.Result) bool {
		name := key.Str
		check, known := p.check(name)
		switch {
		case !known: // of such only the upstream knows what they mean
		case seen[name]:
			p.Refuse(name, "stands twice; send it once")
		default:
			check(name, v)
		}
		seen[name] = true
		return true
	})
	if !seen["model"] {
		p.Refuse("model", "is required: the name of a model, a string")
	}
	if !seen["messages"] {
		p.Refuse("messages", "is required: an array of messages")
	}
	if endpoint.Streams && !seen["max_tokens"] {
		p.Refuse("max_tokens", "is required: an integer, the most tokens to answer with")
	}
	return p.request, p.Err()
}

type parser struct {
	wire.Reader
	endpoint Endpoint
	request  Request
}

func (p *parser) check(name string) (check func(string, gjson.Result), known bool) {
	switch name {
	case "model":
		return p.model, true
	case "messages":
		return p.messages, true
	case "stream":
		return p.stream, p.endpoint.Streams
	case "max_tokens": // 0 only fills Anthropic's cache
		return func(at string, v gjson.Result) {
			if v.Type == gjson.Null {
				p.Refuse(at, "is required: an integer, the most tokens to answer with")
			}
			p.Int(at, v, 0)
		}, p.endpoint.Streams
	}
	return nil, false
}

func (p *parser) model(at string, v gjson.Result) {
	name := p.Required(at, v)
	switch {
	case len(name) > maxModelName:
		p.Refuse(at, fmt.Sprintf("must have at most %d bytes; it has %d", maxModelName, len(name)))
	case strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || r == 0x7f }):
		p.Refuse(at, "must not hold control characters")
	default:
		p.request.Model = strings.Clone(name) // which is a part of the body: records would keep all of it
	}
}

func (p *parser) stream(at string, v gjson.Result) {
	if b := p.Bool(at, v); b != nil {
		p.request.Stream = *b
	}
}

func (p *parser) messages(at string, v gjson.Result) {
	if !v.IsArray() {
		p.Refuse(at, "must be an array of messages; it is "+wire.Article(v))
		return
	}
	if !v.Get("0").Exists() {
		p.Refuse(at, "must hold at least one message")
	}
	p.Each(at, v, func(at string, m gjson.Result) {
		if !m.IsObject() {
			p.Refuse(at, "must be an object with role and content; it is "+wire.Article(m))
		} else if role := wire.Get(m, "role"); role.Type != gjson.String || role.Str == "" {
			p.Refuse(at+".role", "is required: user or assistant")
		}
	})
}
