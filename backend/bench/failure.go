package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
)

// FailureKind names in one word how a request failed. An answer with an error status is
// of the kind status_ and the number.
type FailureKind string

// The kinds besides status_.
const (
	Unreachable   FailureKind = "unreachable"     // nobody listens
	TimedOut      FailureKind = "timeout"         // the client's own limit was over
	Cut           FailureKind = "cut"             // the connection ended before the answer did
	Malformed     FailureKind = "malformed"       // no answer as OpenAI's protocol has it
	ErrorInAnswer FailureKind = "error_in_answer" // a stream that had begun brought an error
	Empty         FailureKind = "empty"           // an answer without a text
)

// Failure is a request that was not answered.
type Failure struct {
	Kind   FailureKind
	Status int    // of an error status, otherwise 0
	Code   string // as OpenAI's error names it: "model_not_found"
	// Detail is a sentence for people. Only a problem document brings one: other servers'
	// words may quote the prompt.
	Detail string
	err    error
}

func (f *Failure) Error() string { return "bench: " + f.err.Error() }

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.err }

// FailureOf gives err as a Failure; what is none, such as a cancelled request, is nil.
func FailureOf(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return nil
}

// transportFailure sorts what a connection may do. A cancelled request is no failure.
func transportFailure(err error) error {
	var op *net.OpError
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("bench: %w", err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return &Failure{Kind: TimedOut, err: err}
	case errors.As(err, &op) && op.Op == "dial":
		return &Failure{Kind: Unreachable, err: err}
	}
	return &Failure{Kind: Cut, err: err}
}

func statusFailure(res *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	f := &Failure{Kind: FailureKind("status_" + strconv.Itoa(res.StatusCode)), Status: res.StatusCode,
		err: fmt.Errorf("%s: %.500s", res.Status, body)}
	var said struct {
		Detail string
		Error  struct{ Code any }
	}
	if json.Unmarshal(body, &said) != nil {
		return f
	}
	f.Code, _ = said.Error.Code.(string)
	if kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); kind == "application/problem+json" {
		f.Detail = said.Detail
	}
	return f
}

// NoText is the failure of an answer that is whole and says nothing.
func NoText() *Failure {
	return &Failure{Kind: Empty, err: errors.New("the answer has no text")}
}
