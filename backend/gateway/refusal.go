package gateway

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/requestid"
)

// unreadable says which kind of error a request is that the server could not read.
var unreadable = map[int]problem.Kind{
	http.StatusRequestHeaderFieldsTooLarge: problem.HeadersTooLarge,
	http.StatusExpectationFailed:           problem.ExpectationFailed,
	http.StatusNotImplemented:              problem.UnsupportedEncoding,
	http.StatusHTTPVersionNotSupported:     problem.UnsupportedVersion,
}

// Refusal is the answer to what could not be read as a request, by the status that net/http has for it: a problem
// document like every other, but of no path, since none is known.
func Refusal(status int) *http.Response {
	kind, ok := unreadable[status]
	if !ok {
		kind = problem.MalformedRequest
	}
	_, detail, _ := problem.Help(kind)
	id := requestid.New()
	nowhere := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/"}}
	w := &written{header: http.Header{requestid.Canonical: {id}}}
	problem.Write(w, nowhere.WithContext(requestid.With(context.Background(), id)), problem.New(kind, detail))
	return &http.Response{StatusCode: w.status, Header: w.header, ContentLength: int64(w.body.Len()), Body: io.NopCloser(&w.body)}
}

// written keeps an answer.
type written struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *written) Header() http.Header         { return w.header }
func (w *written) WriteHeader(status int)      { w.status = status }
func (w *written) Write(b []byte) (int, error) { return w.body.Write(b) }
