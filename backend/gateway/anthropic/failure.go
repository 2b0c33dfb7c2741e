package anthropic

import (
	"bytes"
	"net/http"
	"regexp"
	"strings"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/wire"
)

// statusOverloaded is Anthropic's own.
const statusOverloaded = 529

// EncodeError writes a problem as Anthropic's error answer.
func EncodeError(p *problem.Error, requestID string) []byte {
	w := wire.Writer{}
	w.Obj().Key("type").Str("error").Key("error").Obj().Key("type").Str(p.AnthropicType()).Key("message").Str(p.Detail).EndObj()
	return w.Key("request_id").Str(requestID).EndObj().B
}

var errorKey = []byte(`"error"`)

// ReportsFailure says whether an event, or the body of an answer with status 200,
// is an error in the place of what was asked for.
func ReportsFailure(body []byte) bool {
	return bytes.Contains(body, errorKey) && gjson.GetBytes(body, "type").Str == "error"
}

// ParseFailure turns an upstream's error answer into ours. Its message is left
// behind, since it may quote the prompt or part of a key; what goes on are its type,
// counts of tokens, and the place in the request that it names. name is what the
// upstream is called in the detail.
func ParseFailure(name string, status int, body []byte) *problem.Error {
	e := gjson.GetBytes(body, "error")
	kind := identifier(e.Get("type").Str)
	if p := tooLong(name, e.Get("message").Str); p != nil {
		return p
	}
	switch {
	case status == http.StatusNotFound && kind == "not_found_error" && strings.HasPrefix(e.Get("message").Str, "model: "):
		return problem.Newf(problem.ModelNotFound, "%s has no model of that name, or none for this key (%d).", name, status)
	case status == http.StatusTooManyRequests:
		return problem.Newf(problem.RateLimited, "%s limits requests%s.", name, because(kind))
	case status == statusOverloaded || kind == "overloaded_error":
		return problem.Newf(problem.UpstreamOverloaded, "%s is overloaded (%d).", name, status)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return problem.Newf(problem.UpstreamKey, "%s refused the key that mlxbar sent (%d).", name, status)
	case status >= 400 && status < 500:
		p := problem.Newf(problem.UpstreamRefused, "%s refused the request (%d%s).", name, status, reason(kind))
		p.Upstream, p.Code = status, kind
		if at := place(e.Get("message").Str); at != "" {
			p.Fields = []problem.Field{{Detail: "was refused by the upstream", Location: "body." + at}}
		}
		return p
	}
	return problem.Newf(problem.UpstreamFailed, "%s failed to answer (%d).", name, status)
}

// ParseReported is ParseFailure for an error that comes as an event, or with status 200.
func ParseReported(name string, data []byte) *problem.Error {
	e := gjson.GetBytes(data, "error")
	if p := tooLong(name, e.Get("message").Str); p != nil {
		return p
	}
	switch e.Get("type").Str {
	case "rate_limit_error":
		return problem.Newf(problem.RateLimited, "%s limits requests.", name)
	case "overloaded_error":
		return problem.Newf(problem.UpstreamOverloaded, "%s is overloaded.", name)
	}
	return problem.Newf(problem.UpstreamFailed, "%s reported an error instead of the answer.", name)
}

// What Anthropic says in sentences only. Numbers are taken out of them.
var (
	promptTooLong = regexp.MustCompile(`^prompt is too long: (\d{1,10}) tokens > (\d{1,10}) maximum`)
	bothTooLong   = regexp.MustCompile("^input length and `max_tokens` exceed context limit: (\\d{1,10}) \\+ (\\d{1,10}) > (\\d{1,10})")
)

func tooLong(name, message string) *problem.Error {
	if m := promptTooLong.FindStringSubmatch(message); m != nil {
		return problem.Newf(problem.ContextExceeded, "%s refused the prompt: it has %s tokens, and the model's context holds %s.", name, m[1], m[2])
	}
	if m := bothTooLong.FindStringSubmatch(message); m != nil {
		return problem.Newf(problem.ContextExceeded, "%s refused the request: the prompt's %s tokens and max_tokens, %s, are more than the %s that the model's context holds.", name, m[1], m[2], m[3])
	}
	return nil
}

// placed is how Anthropic begins a message about a field: messages.2.content.0.type.
var placed = regexp.MustCompile(`^((?:max_tokens|messages|metadata|model|output_config|stop_sequences|system|temperature|thinking|tool_choice|tools|top_k|top_p)(?:\.[a-z0-9_]{1,32}){0,8}): `)

var index = regexp.MustCompile(`\.(\d+)`)

func place(message string) string {
	m := placed.FindStringSubmatch(message)
	if m == nil {
		return ""
	}
	return index.ReplaceAllString(m[1], "[$1]")
}

func because(kind string) string {
	if kind == "" {
		return ""
	}
	return " (" + kind + ")"
}

func reason(kind string) string {
	if kind == "" {
		return ""
	}
	return ", " + kind
}

// identifier lets through what can only be a name.
func identifier(s string) string {
	if len(s) > 64 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return ""
	}
	return s
}

func malformed(name, what string) *problem.Error {
	return problem.Newf(problem.UpstreamMalformed, "%s %s.", name, what)
}
