package openai

import (
	"fmt"
	"net/http"

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
	return problem.Newf(problem.UpstreamFailed, "%s failed to answer (%d).", name, status)
}

// ParseStreamFailure is ParseFailure for an error that comes as an event.
func ParseStreamFailure(name string, data []byte) *problem.Error {
	e := gjson.GetBytes(data, "error")
	if exceeded(identifier(e.Get("code")), identifier(e.Get("type"))) {
		return contextExceeded(name, e)
	}
	return problem.Newf(problem.UpstreamFailed, "%s reported an error in mid-answer.", name)
}

func exceeded(code, kind string) bool {
	return code == "context_length_exceeded" || kind == "exceed_context_size_error"
}

func contextExceeded(name string, e gjson.Result) *problem.Error {
	tokens, context := e.Get("n_prompt_tokens"), e.Get("n_ctx")
	if tokens.Type == gjson.Number && context.Type == gjson.Number {
		return problem.Newf(problem.ContextExceeded, "The prompt has %d tokens; the context of the model at %s holds %d.", tokens.Int(), name, context.Int())
	}
	return problem.Newf(problem.ContextExceeded, "The prompt has more tokens than the context of the model at %s holds.", name)
}

func with(p *problem.Error, code string, e gjson.Result) *problem.Error {
	p.Code = code
	if param := identifier(e.Get("param")); param != "" {
		p.Fields = []problem.Field{{Detail: "was refused by the upstream", Location: "body." + param}}
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
