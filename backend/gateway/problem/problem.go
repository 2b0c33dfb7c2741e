// Package problem is the one way in which mlxbar says that a request failed:
// RFC 9457 (which replaced RFC 7807) problem documents with a request id, and
// under /v1 an error member in the shape that OpenAI's SDKs read.
//
// Any error is translated once, at the edge, by From. What a client reads
// (detail, fields) and what the log keeps (the cause) are apart, so that nothing
// of the inside leaks into an answer.
package problem

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"mlxbar/backend/gateway/requestid"
)

// ContentType is the media type of every error answer.
const ContentType = "application/problem+json"

// An Error is a failure on its way to a client. Detail and Fields are public;
// the cause is for the log alone.
type Error struct {
	Kind   Kind
	Detail string
	Fields []Field
	// Code overrides the kind's OpenAI code where the upstream gave a finer one.
	Code string
	// Upstream is the status of a provider's refusal, kept for the client if it is a 4xx.
	Upstream int
	// Elsewhere says that another upstream could do what was asked, though this one cannot.
	Elsewhere  bool
	RetryAfter time.Duration
	Allow      []string // methods, for MethodNotAllowed
	cause      error
}

// A Field is one invalid place of a request: what would be right, where, and the
// offending value when it is a setting and not somebody's message.
type Field struct {
	Detail   string `json:"detail"`
	Location string `json:"location"`
	Value    any    `json:"value,omitempty"`
}

// New makes an error of kind with a public detail.
func New(kind Kind, detail string) *Error { return &Error{Kind: kind, Detail: detail} }

// Newf is New with a format. Never format a request's content into it.
func Newf(kind Kind, format string, args ...any) *Error {
	return New(kind, fmt.Sprintf(format, args...))
}

// Invalid makes a validation error out of fields; its detail is the first one's.
func Invalid(fields ...Field) *Error {
	e := &Error{Kind: InvalidRequest, Fields: fields}
	if len(fields) > 0 {
		e.Detail = fields[0].Location + ": " + fields[0].Detail
	}
	return e
}

// Because adds the private cause.
func (e *Error) Because(cause error) *Error { e.cause = cause; return e }

// Error gives the log's view: kind, detail and cause.
func (e *Error) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Kind, e.Detail, e.cause)
	}
	return fmt.Sprintf("%s: %s", e.Kind, e.Detail)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.cause }

// RetrySeconds is RetryAfter as the header of that name has it: whole seconds, and not too few.
func (e *Error) RetrySeconds() string {
	return strconv.Itoa(int((e.RetryAfter + time.Second - 1) / time.Second))
}

// Status is the HTTP status that the client sees.
func (e *Error) Status() int {
	if e.Kind == UpstreamRefused && e.Upstream >= 400 && e.Upstream < 500 {
		return e.Upstream
	}
	return e.Kind.Status()
}

// From translates any error: an *Error stays, a context's end becomes Timeout or
// Cancelled, all else is Internal with the error as its private cause.
func From(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.DeadlineExceeded):
		return New(Timeout, "The request ran over its time limit.").Because(err)
	case errors.Is(err, context.Canceled):
		return New(Cancelled, "The client left before its answer was complete.").Because(err)
	}
	return New(Internal, "Something went wrong inside mlxbar; its log has the cause under this request id.").Because(err)
}

// A Document is the JSON of an error answer.
type Document struct {
	Type      string    `json:"type"`
	Title     string    `json:"title"`
	Status    int       `json:"status"`
	Detail    string    `json:"detail"`
	Instance  string    `json:"instance"`
	RequestID string    `json:"request_id"`
	Errors    []Field   `json:"errors,omitempty" nullable:"false"`
	Error     *SDKError `json:"error,omitempty"`
}

// AnthropicType is the error.type that Anthropic's documents pair with the status of e.
func (e *Error) AnthropicType() string {
	switch status := e.Status(); {
	case status == http.StatusUnauthorized:
		return "authentication_error"
	case status == http.StatusForbidden:
		return "permission_error"
	case status == http.StatusNotFound:
		return "not_found_error"
	case status == http.StatusRequestEntityTooLarge:
		return "request_too_large"
	case status == http.StatusTooManyRequests:
		return "rate_limit_error"
	case status == http.StatusServiceUnavailable || status == statusOverloaded:
		return "overloaded_error"
	case status == http.StatusGatewayTimeout:
		return "timeout_error"
	case status >= 500:
		return "api_error"
	}
	return "invalid_request_error"
}

// SDKError is OpenAI's error object, which Anthropic's SDKs read as well.
type SDKError struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

// Document builds the answer for a request to path.
func (e *Error) Document(path, requestID string) Document {
	d := Document{
		Type: "/problems/" + string(e.Kind), Title: e.Kind.Title(), Status: e.Status(),
		Detail: e.Detail, Instance: path, RequestID: requestID, Errors: e.Fields,
	}
	switch {
	case ofMessages(path):
		d.Error = e.sdkError()
		d.Error.Type = e.AnthropicType()
	case path == "/v1" || strings.HasPrefix(path, "/v1/"):
		d.Error = e.sdkError()
	}
	return d
}

// ForAnthropic says whether the client reads Anthropic's protocol: by the path, or at one that both
// protocols have by the headers that Anthropic's clients send.
func ForAnthropic(r *http.Request) bool {
	switch path := r.URL.Path; {
	case ofMessages(path):
		return true
	case path == "/v1/models" || strings.HasPrefix(path, "/v1/models/"):
		return r.Header.Get("Anthropic-Version") != "" || r.Header.Get("X-Api-Key") != ""
	}
	return false
}

func ofMessages(path string) bool {
	return path == "/v1/messages" || strings.HasPrefix(path, "/v1/messages/")
}

func (e *Error) sdkError() *SDKError {
	r := e.Kind.row()
	s := &SDKError{Message: e.Detail, Type: r.openAIType}
	code := r.openAICode
	if e.Code != "" {
		code = e.Code
	}
	if code != "" {
		s.Code = &code
	}
	if len(e.Fields) > 0 {
		param := strings.TrimPrefix(e.Fields[0].Location, "body.")
		s.Param = &param
	}
	return s
}

// DocumentAt is Document for the address that was asked for, escapes and all.
func (e *Error) DocumentAt(u *url.URL, requestID string) Document {
	d := e.Document(u.Path, requestID)
	d.Instance = instance(u)
	return d
}

// instance is the path that was asked for, escaped, for an instance is a URI reference. Where there is none (CONNECT)
// it is the server.
func instance(u *url.URL) string {
	if path := u.EscapedPath(); path != "" {
		return path
	}
	return "/"
}

// Write answers r with err. The caller logs; Write does not.
func Write(w http.ResponseWriter, r *http.Request, err error) {
	e := From(err)
	d := e.DocumentAt(r.URL, requestid.From(r.Context()))
	if ForAnthropic(r) {
		d.Error.Type = e.AnthropicType()
	}
	body, merr := json.Marshal(d)
	if merr != nil { // a Field.Value that has no JSON is a defect of ours
		e = New(Internal, "The error itself could not be written.").Because(merr)
		body, _ = json.Marshal(e.DocumentAt(r.URL, requestid.From(r.Context())))
	}
	h := w.Header()
	h.Set("Content-Type", ContentType)
	h.Set("Content-Length", strconv.Itoa(len(body)+1))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if e.RetryAfter > 0 {
		h.Set("Retry-After", e.RetrySeconds())
	}
	if len(e.Allow) > 0 {
		h.Set("Allow", strings.Join(e.Allow, ", "))
	}
	if e.Kind == Unauthorized || e.Kind == InvalidKey {
		h.Set("WWW-Authenticate", `Bearer realm="mlxbar"`)
	}
	w.WriteHeader(e.Status())
	if r.Method != http.MethodHead {
		w.Write(append(body, '\n'))
	}
}

// Help tells a person what kind means; ok is false for an unknown one.
func Help(kind Kind) (title, text string, ok bool) {
	r, ok := table[kind]
	return r.title, r.help, ok
}
