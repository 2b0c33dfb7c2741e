package openai

import "github.com/tidwall/gjson"

// Endpoint is a path of the API that runs a model, with what ParseRequest holds
// its bodies to. A new endpoint is a new row below, and no branch anywhere.
type Endpoint struct {
	Path    string
	Streams bool // whether its answers can be streamed

	content string // the member that must be there beside model
	what    string // as what, for who left it out
	check   func(p *parser, name string, v gjson.Result)
	// leastTokens is the smallest max_tokens that makes sense.
	leastTokens float64
}

// The endpoints.
var (
	Chat = Endpoint{
		Path: "/v1/chat/completions", Streams: true,
		content: "messages", what: "an array of messages", check: (*parser).messages, leastTokens: 1,
	}
	Completions = Endpoint{
		Path: "/v1/completions", Streams: true,
		content: "prompt", what: "a string or an array", check: (*parser).text,
		leastTokens: 0, // a completion of none echoes or scores its prompt
	}
	Embeddings = Endpoint{
		Path:    "/v1/embeddings",
		content: "input", what: "a string or an array", check: (*parser).text,
	}
	Responses = Endpoint{
		Path: "/v1/responses", Streams: true,
		content: "input", what: "a string or an array of items", check: (*parser).text, leastTokens: 1,
	}
	Rerank = Endpoint{
		Path:    "/v1/rerank",
		content: "documents", what: "an array of texts", check: (*parser).text,
	}
)
