package upstream

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

type endpoint string

const (
	chat        endpoint = "/v1/chat/completions"
	completions endpoint = "/v1/completions"
	embeddings  endpoint = "/v1/embeddings"
)

// An ask is what a request wants.
type ask struct {
	endpoint endpoint
	model    string
	stream   bool
	usage    bool // stream_options.include_usage
}

// A call is a script with its parameters: [anything/]name[-n][=delay].
type call struct {
	name  string
	n     int
	delay time.Duration
	paced bool // a delay was given
}

// An exchange is one request on its way through a script.
type exchange struct {
	ask
	call
	server *Server
	w      http.ResponseWriter
	r      *http.Request
	body   []byte
	gone   bool
}

func (s *Server) infer(w http.ResponseWriter, r *http.Request, e endpoint, body []byte) {
	s.nRequests.Add(1)
	x := &exchange{server: s, w: w, r: r, body: body}
	var err error
	if x.ask, err = parseAsk(e, body); err != nil {
		writeError(w, http.StatusBadRequest, apiError{Message: err.Error(), Type: "invalid_request_error"})
		return
	}
	name := s.options.script
	if name == "" {
		name = x.model
	}
	if x.call, err = parseCall(name, s.options); err != nil {
		writeError(w, http.StatusNotFound, apiError{
			Message: fmt.Sprintf("The model `%s` does not exist or you do not have access to it.", x.model),
			Type:    "invalid_request_error", Code: "model_not_found"})
		return
	}
	s.count(x.model)
	defer func() {
		if x.gone {
			s.left(r, body)
			return
		}
		s.nOK.Add(1)
	}()
	w.Header()["X-Request-Id"] = upstreamID
	scripts[x.name].run(x)
}

// upstreamID is in every answer: a gateway must not give it out for its own.
var upstreamID = []string{"upstream-request-id"}

func parseAsk(e endpoint, body []byte) (ask, error) {
	if !gjson.ValidBytes(body) {
		return ask{}, errors.New("we could not parse the JSON body of your request")
	}
	f := gjson.GetManyBytes(body, "model", "stream", "stream_options.include_usage")
	if f[0].Type != gjson.String {
		return ask{}, errors.New("you must provide a model parameter")
	}
	a := ask{endpoint: e, model: f[0].String()}
	if e != embeddings {
		a.stream, a.usage = f[1].Bool(), f[2].Bool()
	}
	return a, nil
}

func parseCall(text string, o options) (call, error) {
	name, delay, paced := strings.Cut(text[strings.LastIndexByte(text, '/')+1:], "=")
	c := call{name: name, delay: o.delay, paced: paced}
	if paced {
		d, err := time.ParseDuration(delay)
		if err != nil || d < 0 {
			return call{}, fmt.Errorf("upstream: script %q: %q is no delay", text, delay)
		}
		c.delay = d
	}
	if s, ok := scripts[name]; ok {
		if c.n = s.n; c.n == 0 {
			c.n = o.chunks
		}
		return c, nil
	}
	if i := strings.LastIndexByte(name, '-'); i > 0 {
		if n, err := strconv.Atoi(name[i+1:]); err == nil && n >= 0 && n <= 1<<20 {
			if _, ok := scripts[name[:i]]; ok {
				c.name, c.n = name[:i], n
				return c, nil
			}
		}
	}
	return call{}, fmt.Errorf("upstream: no script %q", text)
}

// modelOf is the model that a body names; "" when it is no JSON, of which gjson would make something.
func modelOf(body []byte) string {
	if !gjson.ValidBytes(body) {
		return ""
	}
	return gjson.GetBytes(body, "model").String()
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if n := r.ContentLength; n >= 0 && n <= maxBody {
		body := make([]byte, n)
		_, err := io.ReadFull(r.Body, body)
		return body, err
	}
	return io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
}

// send writes b and flushes it; false when the client is gone.
func (x *exchange) send(b []byte) bool {
	_, err := x.w.Write(b)
	if err == nil {
		err = http.NewResponseController(x.w).Flush()
	}
	x.gone = err != nil
	return !x.gone
}

// each sends events one by one, with the call's pause between them if it has one.
func (x *exchange) each(events [][]byte) bool {
	for i, e := range events {
		if x.paced && i > 0 && !x.wait() {
			return false
		}
		if x.r.Context().Err() != nil { // sockets swallow a lot before a write fails
			x.gone = true
			return false
		}
		if !x.send(e) {
			return false
		}
	}
	return true
}

func (x *exchange) wait() bool {
	x.gone = !wait(x.r.Context(), x.delay)
	return !x.gone
}

// abort breaks the connection without an end.
func (x *exchange) abort() { panic(http.ErrAbortHandler) }

var (
	typeJSON    = []string{"application/json"}
	typeSSE     = []string{"text/event-stream; charset=utf-8"}
	noCache     = []string{"no-cache"}
	serverNames = []string{"upstream"}
)

func (x *exchange) streamHead() {
	h := x.w.Header()
	h["Content-Type"], h["Cache-Control"], h["Server"] = typeSSE, noCache, serverNames
	x.w.WriteHeader(http.StatusOK)
}

// head sends the headers of an answer of the kind that was asked for, at once.
func (x *exchange) head(length int) bool {
	if x.stream {
		x.streamHead()
	} else {
		h := x.w.Header()
		h["Content-Type"] = typeJSON
		if length >= 0 {
			h.Set("Content-Length", strconv.Itoa(length))
		}
		x.w.WriteHeader(http.StatusOK)
	}
	return x.send(nil)
}

// json sends a whole JSON answer.
func (x *exchange) json(body []byte) {
	h := x.w.Header()
	h["Content-Type"] = typeJSON
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	if _, err := x.w.Write(body); err != nil {
		x.gone = true
	}
}

type apiError struct {
	Message string `json:"message"`
	Type    string `json:"type"`
	Param   any    `json:"param"`
	Code    any    `json:"code"`
}

func (e apiError) body() []byte {
	b, _ := json.Marshal(map[string]apiError{"error": e}) // strings only: cannot fail
	return b
}

func writeError(w http.ResponseWriter, status int, e apiError) {
	w.Header()["Content-Type"] = typeJSON
	w.WriteHeader(status)
	w.Write(e.body())
}
