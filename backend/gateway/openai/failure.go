package openai

import (
	"fmt"
	"net/http"
	"regexp"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/problem"
)

// ParseFailure turns an upstream's error answer into ours. Its message is left
// behind, since it may quote the prompt or part of a key; what goes on are the
// members made for machines: code, type, param and counts of tokens. name is what
// the upstream is called in the detail.
func ParseFailure(name string, status int, body []byte) *problem.Error {
	e := gjson.GetBytes(body, "error")
	code := identifier(e.Get("code"))
	kind := identifier(e.Get("type"))
	if exceeded(code, kind) {
		return contextExceeded(name, e)
	}
	if p := mistaken(name, e.Get("message").Str); p != nil {
		return p
	}
	// Ollama names no field, and what it does not find is always a model.
	noModel := code == "model_not_found" || status == http.StatusNotFound && (e.Get("param").Str == "model" || kind == "not_found_error")
	if status >= 400 && status < 500 && noModel {
		return problem.Newf(problem.ModelNotFound, "%s has no model of that name, or none for this key (%d).", name, status)
	}
	switch {
	case status == http.StatusTooManyRequests:
		return with(problem.Newf(problem.RateLimited, "%s limits requests%s.", name, because(code, kind)), code, e)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return problem.Newf(problem.UpstreamKey, "%s refused the key that mlxbar sent (%d).", name, status)
	case status >= 400 && status < 500:
		p := problem.Newf(problem.UpstreamRefused, "%s refused the request (%d%s).", name, status, reason(code, kind))
		p.Upstream = status
		return with(p, code, e)
	}
	failed := problem.UpstreamFailed
	if status == problem.UpstreamOverloaded.Status() { // as a proxy in front of Anthropic says
		failed = problem.UpstreamOverloaded
	}
	return problem.Newf(failed, "%s failed to answer (%d).", name, status)
}

// ParseReported is ParseFailure for an error that comes as an event, or with status 200.
func ParseReported(name string, data []byte) *problem.Error {
	e := gjson.GetBytes(data, "error")
	if exceeded(identifier(e.Get("code")), identifier(e.Get("type"))) {
		return contextExceeded(name, e)
	}
	if p := mistaken(name, e.Get("message").Str); p != nil {
		return p
	}
	return problem.Newf(problem.UpstreamFailed, "%s reported an error instead of the answer.", name)
}

func exceeded(code, kind string) bool {
	return code == "context_length_exceeded" || kind == "exceed_context_size_error"
}

func contextExceeded(name string, e gjson.Result) *problem.Error {
	tokens, context := e.Get("n_prompt_tokens"), e.Get("n_ctx")
	if tokens.Type == gjson.Number && context.Type == gjson.Number {
		return problem.Newf(problem.ContextExceeded, "%s refused the prompt: it has %d tokens, and the model's context holds %d.", name, tokens.Int(), context.Int())
	}
	return problem.Newf(problem.ContextExceeded, "%s refused the prompt: it has more tokens than the model's context holds.", name)
}

// What llama.cpp says in sentences only. Some of it is a client's mistake that it
// answers with 500, which clients would try again and again.
var (
	inputTooLarge = regexp.MustCompile(`^input \((\d{1,10}) tokens\) is too large to process\..*batch size: (\d{1,10})\)$`)
	noSuchInput   = regexp.MustCompile(`^(image|audio|video) input is not supported`)
	unreadable    = regexp.MustCompile(`^(Failed to load image or audio file|Invalid base64 value)$`)
	unparsed      = regexp.MustCompile(`^Failed to parse (tools|messages): `)
	wrongField    = regexp.MustCompile(`^Field '([a-z_]{1,32})': `)
)

// mistaken finds what the client got wrong out of a message of llama.cpp, nil for
// any other message. Only numbers and names of fields are taken out of it.
func mistaken(name, message string) *problem.Error {
	if m := inputTooLarge.FindStringSubmatch(message); m != nil {
		return problem.Newf(problem.ContextExceeded, "%s refused the input: it has %s tokens, and the model takes %s at once.", name, m[1], m[2])
	}
	if m := noSuchInput.FindStringSubmatch(message); m != nil {
		return refusedField("messages", fmt.Sprintf("%s refused the request: the model takes no %s.", name, m[1]))
	}
	if unreadable.MatchString(message) {
		return refusedField("messages", name+" refused the request: a picture or sound in it cannot be read.")
	}
	for _, sign := range []*regexp.Regexp{unparsed, wrongField} {
		if m := sign.FindStringSubmatch(message); m != nil {
			return refusedField(m[1], fmt.Sprintf("%s refused the value of %s.", name, m[1]))
		}
	}
	return nil
}

func refusedField(field, detail string) *problem.Error {
	p := problem.New(problem.UpstreamRefused, detail)
	p.Fields = refused(field)
	return p
}

func refused(field string) []problem.Field {
	return []problem.Field{{Detail: "was refused by the upstream", Location: "body." + field}}
}

func with(p *problem.Error, code string, e gjson.Result) *problem.Error {
	p.Code = code
	if param := identifier(e.Get("param")); param != "" {
		p.Fields = refused(param)
	}
	return p
}

func because(code, kind string) string {
	if r := reason(code, kind); r != "" {
		return " (" + r[2:] + ")"
	}
	return ""
}

func reason(code, kind string) string {
	switch {
	case code != "":
		return fmt.Sprintf(", %s", code)
	case kind != "":
		return fmt.Sprintf(", %s", kind)
	}
	return ""
}

// identifier lets through what can only be a name: short and without blanks, so
// that no sentence of a prompt fits in.
func identifier(v gjson.Result) string {
	if v.Type != gjson.String || len(v.Str) > 64 {
		return ""
	}
	for _, r := range v.Str {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-', r == '.', r == '[', r == ']':
		default:
			return ""
		}
	}
	return v.Str
}
