package gateway

import (
	"bytes"
	"encoding/json"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/anthropic"
	"mlxbar/backend/gateway/openai"
	"mlxbar/backend/gateway/openai/responses"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/turn"
)

// dialect is one protocol's way to be asked at one path: what makes a request valid, and what answers,
// streams and failures say.
type dialect struct {
	path    string
	streams bool // whether its answers can be streamed
	parse   func(body []byte) (openai.Request, *problem.Error)
	// answer reads the usage of a whole answer; ok is false for what is no answer.
	answer func(body []byte) (u openai.Usage, ok bool)
	// failed and reported are for an error in the place of an answer or an event.
	failed   func(body []byte) bool
	reported func(name string, data []byte) *problem.Error
	observe  func() observer
	// follow tells the tool calls of a whole answer; ok is false if one is wrong. nil where there are none.
	follow func(c *turn.Calls, body []byte) (ok bool)
	// fail appends the event that ends a broken stream of it.
	fail func(dst []byte, e *problem.Error, path, requestID string) []byte
}

// observer follows one streamed answer.
type observer interface {
	Observe(data []byte) openai.EventKind
	seen() seen
	// follow has it tell the answer's tool calls.
	follow(c *turn.Calls)
}

// seen is what an observer knows so far.
type seen struct {
	usage    openai.Usage
	finished bool // the answer is whole, even if its stream has no proper end
	tokens   int64
}

// openAI is the dialect of one of OpenAI's endpoints.
func openAI(e openai.Endpoint) *dialect {
	return &dialect{
		path: e.Path, streams: e.Streams,
		parse:  func(body []byte) (openai.Request, *problem.Error) { return openai.ParseRequest(e, body) },
		answer: openai.ParseAnswer, failed: openai.ReportsFailure, reported: openai.ParseReported,
		observe: func() observer { return &openAIStream{} }, fail: failOpenAI,
	}
}

// anthropicAt is the dialect of one of Anthropic's endpoints.
func anthropicAt(e anthropic.Endpoint) *dialect {
	return &dialect{
		path: e.Path, streams: e.Streams,
		parse: func(body []byte) (openai.Request, *problem.Error) {
			r, fault := anthropic.ParseRequest(e, body)
			return openai.Request(r), fault
		},
		answer: func(body []byte) (openai.Usage, bool) {
			u, ok := anthropic.ParseAnswer(body)
			return usageOf(u), ok
		},
		failed: anthropic.ReportsFailure, reported: anthropic.ParseReported,
		observe: func() observer { return &anthropicStream{} }, fail: failAnthropic,
	}
}

// The dialects that are spoken at more than one place.
var (
	chatDialect = func() *dialect {
		d := openAI(openai.Chat)
		d.follow = openai.FollowAnswer
		return d
	}()
	completionDialect = openAI(openai.Completions)
	countDialect      = func() *dialect {
		d := anthropicAt(anthropic.CountTokens)
		count := d.answer
		d.answer = func(body []byte) (openai.Usage, bool) { // what is counted is not used
			_, ok := count(body)
			return openai.Usage{}, ok
		}
		return d
	}()
	messagesDialect = func() *dialect {
		d := anthropicAt(anthropic.Messages)
		d.follow = anthropic.FollowAnswer
		return d
	}()
	responseDialect = func() *dialect {
		d := openAI(openai.Responses)
		d.answer, d.reported, d.follow = responses.ParseAnswer, responses.ParseReported, responses.FollowAnswer
		d.observe, d.fail = func() observer { return &responseStream{} }, failResponses
		return d
	}()
)

type openAIStream struct{ openai.Stream }

func (s *openAIStream) seen() seen { return seen{s.Usage, s.Finished, s.Tokens} }

func (s *openAIStream) follow(c *turn.Calls) { s.Calls = c }

type responseStream struct{ responses.Stream }

func (s *responseStream) seen() seen { return seen{s.Usage, s.Finished, s.Tokens} }

func (s *responseStream) follow(c *turn.Calls) { s.Calls = c }

type anthropicStream struct{ of anthropic.Stream }

// eventKinds are Anthropic's as OpenAI's.
var eventKinds = map[anthropic.EventKind]openai.EventKind{
	anthropic.Other: openai.Other, anthropic.Token: openai.Token, anthropic.Done: openai.Done,
	anthropic.Failure: openai.Failure, anthropic.Malformed: openai.Malformed, anthropic.Ping: openai.Ping,
	anthropic.Miscalled: openai.Miscalled,
}

func (s *anthropicStream) Observe(data []byte) openai.EventKind {
	return eventKinds[s.of.Observe(data)]
}

func (s *anthropicStream) follow(c *turn.Calls) { s.of.Calls = c }

func (s *anthropicStream) seen() seen {
	return seen{usageOf(s.of.Usage()), s.of.Finished, s.of.Tokens}
}

func usageOf(u anthropic.Usage) openai.Usage {
	return openai.Usage{Prompt: u.Prompt, Completion: u.Completion, Total: u.Total, Cached: u.Cached, CacheWrite: u.CacheWrite, CacheWrite1H: u.CacheWrite1H}
}

func failOpenAI(dst []byte, e *problem.Error, path, requestID string) []byte {
	raw, err := json.Marshal(e.Document(path, requestID))
	if err != nil { // a field's value that has no JSON is a defect of ours
		return dst
	}
	return append(append(append(dst, "data: "...), raw...), "\n\n"...)
}

func failAnthropic(dst []byte, e *problem.Error, _, requestID string) []byte {
	dst = append(append(dst, "event: error\ndata: "...), anthropic.EncodeError(e, requestID)...)
	return append(dst, "\n\n"...)
}

func failResponses(dst []byte, e *problem.Error, _, requestID string) []byte {
	return responses.NewEncoder(turn.Reply{}, nil).Fail(dst, e, requestID)
}

// usageOnly says whether an event of a chat brings a usage and nothing else: the one that OpenAI's API sends
// at the end to who asks for it.
func usageOnly(data []byte) bool {
	at := bytes.Index(data, usageKey)
	if at < 0 {
		return false
	}
	// Every other event may have a usage that is null, so only an object is worth a closer look.
	if value := bytes.TrimLeft(data[at+len(usageKey):], ": \t"); len(value) == 0 || value[0] != '{' {
		return false
	}
	choices := gjson.GetBytes(data, "choices")
	return choices.IsArray() && !choices.Get("0").Exists() && gjson.GetBytes(data, "usage").IsObject()
}

var usageKey = []byte(`"usage"`)
