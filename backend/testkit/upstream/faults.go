package upstream

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The scripts that answer something wrong, or an error.

func noDone(x *exchange) {
	a := x.built(x.n).answer
	if !x.stream {
		x.json(a.json)
		return
	}
	x.streamHead()
	x.each(a.body(x.usage))
}

func malformedJSON(x *exchange) {
	broken := []byte(`{"id":"chatcmpl-upstream1","object":"chat.completion","choices":[{"index":0,,"` + Marker)
	if !x.stream {
		x.json(broken)
		return
	}
	a := x.built(x.n).answer
	x.streamHead()
	x.each(append(a.opening(), a.tokens[0], sse(broken), a.done))
}

func malformedSSE(x *exchange) {
	x.streamHead()
	x.send([]byte("\x00\x01\xff this is no stream of events\n" + Marker + "\n{\"id\":1}\n"))
}

func html(x *exchange) {
	x.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(x.w, "<!doctype html><title>Sign in</title><p>Sign in to the hotel's network. You said: %s</p>", x.body)
}

func empty(x *exchange) { x.head(0) }

// quote is an error as careless servers write it: with the prompt and the key in it.
func (x *exchange) quote(kind, code string) apiError {
	return apiError{Type: kind, Code: code,
		Message: fmt.Sprintf("Refused (%s): %s", x.r.Header.Get("Authorization"), x.body)}
}

func errorEvent(x *exchange) {
	e := x.quote("server_error", "internal_error")
	if !x.stream {
		x.json(x.fault(500, e))
		return
	}
	a := x.built(max(x.n, x.server.options.chunks)).answer
	x.streamHead()
	if x.firstPart(a) {
		x.send(x.faultEvent(e))
	}
}

func hugeEvent(x *exchange) {
	big := Marker + strings.Repeat("x", x.n<<10)
	x.transformed(x.build([]block{said(big)}), x.usage, unchanged)
}

func redirect(x *exchange) {
	x.w.Header().Set("Location", "http://127.0.0.1:1/v1/chat/completions")
	x.w.WriteHeader(http.StatusTemporaryRedirect)
}

func status(x *exchange) {
	e := x.quote("server_error", "internal_error")
	switch x.n {
	case http.StatusBadRequest:
		e = x.quote("invalid_request_error", "context_length_exceeded")
		if x.endpoint == messages { // which has a sentence in place of a code
			e.Message = "prompt is too long: 213000 tokens > 200000 maximum. " + e.Message
		}
	case http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		e = x.quote("invalid_request_error", "")
	case http.StatusUnauthorized:
		e = x.quote("invalid_request_error", "invalid_api_key")
	case http.StatusNotFound:
		e = x.quote("invalid_request_error", "model_not_found")
	case http.StatusTooManyRequests:
		e = x.quote("requests", "rate_limit_exceeded")
		after := 7 * time.Second
		if x.paced {
			after = x.delay
		}
		x.w.Header().Set("Retry-After", strconv.Itoa(int(after/time.Second)))
	}
	if x.n < 200 || x.n > 599 {
		x.n = http.StatusInternalServerError
	}
	x.refuse(x.n, e)
}
