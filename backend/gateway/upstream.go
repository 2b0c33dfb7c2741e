package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"time"

	"mlxbar/backend/gateway/anthropic"
	"mlxbar/backend/gateway/convert"
	"mlxbar/backend/gateway/httpconn"
	"mlxbar/backend/gateway/identity"
	"mlxbar/backend/gateway/openai"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/settings"
)

const (
	// keepAliveLocal stays under the five seconds after which llama.cpp's server
	// closes an idle connection, so that no request is sent into a closing one.
	keepAliveLocal  = 4 * time.Second
	keepAliveRemote = 90 * time.Second
	// maxErrorBody is how much of an upstream's error is read for its code.
	maxErrorBody = 64 << 10
)

// target is where one request is sent.
type target struct {
	name   string // as errors call it: the engine or the provider's name
	local  bool
	away   *settings.Provider // that is elsewhere; nil for what stays on this machine
	url    string
	body   []byte
	key    string      // "" for none
	header http.Header // more to send
	gone   func() bool
	alive  func() // of an engine, told of each token; nil of others

	*dialect                         // that it is asked in
	kind       settings.ProviderKind // of a provider
	passes     bool                  // it is asked as the client asked
	conversion *convert.Conversion   // nil where it is
	hidesUsage bool                  // the usage of its stream was asked for by the gateway
	mends      bool                  // an engine's stream of Messages, which may lack its beginning
}

var acceptEvents = []string{"text/event-stream"}

// upstreamClient sends requests on. Engines and providers have transports of
// their own: no proxy stands between mlxbar and an engine, and their idle times differ.
// Where plain HTTP without a proxy leads to it, a near one spares its goroutines.
type upstreamClient struct {
	local, remote         *http.Transport
	nearLocal, nearRemote *httpconn.Client
	userAgent             []string
}

func newUpstreamClient(version string, timeouts func() settings.Timeouts) *upstreamClient {
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		d := net.Dialer{Timeout: time.Duration(timeouts().Connect), KeepAlive: 30 * time.Second}
		return d.DialContext(ctx, network, addr)
	}
	local := &http.Transport{
		DialContext: dial, DisableCompression: true, IdleConnTimeout: keepAliveLocal,
		MaxIdleConns: 256, MaxIdleConnsPerHost: 256,
	}
	remote := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dial, DisableCompression: true,
		ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second,
		IdleConnTimeout: keepAliveRemote, MaxIdleConns: 512, MaxIdleConnsPerHost: 256,
	}
	return &upstreamClient{
		local: local, remote: remote, userAgent: []string{"mlxbar/" + version},
		nearLocal:  &httpconn.Client{Dial: dial, IdleTime: keepAliveLocal, MaxIdle: 256},
		nearRemote: &httpconn.Client{Dial: dial, IdleTime: keepAliveRemote, MaxIdle: 256},
	}
}

func (c *upstreamClient) close() {
	c.local.CloseIdleConnections()
	c.remote.CloseIdleConnections()
	c.nearLocal.CloseIdleConnections()
	c.nearRemote.CloseIdleConnections()
}

// transport is the way to t for req.
func (c *upstreamClient) transport(t target, req *http.Request) http.RoundTripper {
	near := httpconn.Takes(req.URL, req.ContentLength)
	switch {
	case t.local && near:
		return c.nearLocal
	case t.local:
		return c.local
	case near && !proxied(req):
		return c.nearRemote
	}
	return c.remote
}

// proxied says whether the environment has a proxy for req. An unreadable one is the
// transport's to complain about.
func proxied(req *http.Request) bool {
	proxy, err := http.ProxyFromEnvironment(req)
	return proxy != nil || err != nil
}

// send posts t's body to it and returns the answer, whatever its status, and whether there was a
// connection, by which what was sent may have left. The error is a problem; the caller closes the body.
func (c *upstreamClient) send(ctx context.Context, t target, stream bool) (resp *http.Response, connected bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, bytes.NewReader(t.body))
	if err != nil {
		return nil, false, problem.New(problem.Internal, "The request to the upstream could not be made.").Because(err)
	}
	h := req.Header
	h["Content-Type"], h["User-Agent"], h["Accept"] = jsonType, c.userAgent, jsonType
	if stream {
		h["Accept"] = acceptEvents
	}
	maps.Copy(h, t.header)
	identity.Write(h, t.kind, t.key)
	if t.local {
		// llama.cpp's server closes a connection after a hundred requests and does not say so. A
		// request that is sent into that gets no answer, and an engine may be asked twice: with
		// this entry, which is not sent itself, the transport does so on a new connection.
		req.Header["Idempotency-Key"] = []string{}
	}
	resp, connected, err = roundTrip(c.transport(t, req), req)
	if err != nil {
		return nil, connected, t.unreachable(ctx, err, connected)
	}
	return resp, true, nil
}

// get asks a provider for what is no answer of a model.
func (c *upstreamClient) get(req *http.Request) (*http.Response, error) {
	req.Header["User-Agent"] = c.userAgent
	resp, err := c.remote.RoundTrip(req)
	if err != nil {
		return nil, unquoted(err)
	}
	return resp, nil
}

// roundTrip asks once, and says of an error whether there was a connection. It is not a
// Client's Do: a redirect must not carry a prompt elsewhere.
func roundTrip(by http.RoundTripper, req *http.Request) (resp *http.Response, connected bool, err error) {
	if _, near := by.(*httpconn.Client); near {
		resp, err = by.RoundTrip(req)
		var dial *httpconn.DialError
		return resp, !errors.As(err, &dial), err
	}
	traced := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected = true }})
	resp, err = by.RoundTrip(req.WithContext(traced))
	return resp, connected, err
}

// unreachable says why no answer came.
func (t target) unreachable(ctx context.Context, err error, connected bool) error {
	if cause := ending(ctx); cause != nil {
		return cause
	}
	var timeout net.Error
	switch {
	case t.gone != nil && t.gone():
		return problem.Newf(problem.EngineStopped, "The engine of the model ended before it answered.").Because(unquoted(err))
	case !connected && errors.As(err, &timeout) && timeout.Timeout():
		return problem.Newf(problem.ConnectTimeout, "%s took no connection within the limit timeouts.connect.", t.name).Because(unquoted(err))
	case untrusted(err) != "":
		return problem.Newf(problem.UpstreamUnreachable, "%s cannot be reached: %s.", t.name, untrusted(err)).Because(unquoted(err))
	case !connected:
		return problem.Newf(problem.UpstreamUnreachable, "%s cannot be reached.", t.name).Because(unquoted(err))
	}
	return problem.Newf(problem.UpstreamCut, "%s closed the connection without an answer.", t.name).Because(unquoted(err))
}

// untrusted is what is wrong with an upstream's certificate, "" when that is not what err is about.
func untrusted(err error) string {
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &name):
		return "its certificate is for another host"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "its certificate has expired or is not yet valid"
	case errors.As(err, &unknown):
		return "its certificate is from nobody whom this machine trusts"
	case errors.As(err, &invalid), errors.As(err, &certificate):
		return "its certificate is not valid"
	case errors.As(err, &record):
		return "it does not speak TLS; an http address may be right"
	}
	return ""
}

// broken says why an answer that had begun did not come to its end.
func (t target) broken(ctx context.Context, err error) error {
	if cause := ending(ctx); cause != nil {
		return cause
	}
	if t.gone != nil && t.gone() {
		return problem.New(problem.EngineStopped, "The engine of the model ended in mid-answer.").Because(unquoted(err))
	}
	return problem.Newf(problem.UpstreamCut, "%s broke off in mid-answer.", t.name).Because(unquoted(err))
}

// unquoted is an error of the transport up to what it quotes: net/http repeats the
// part of an answer that it could not read, and the log must not have that.
func unquoted(err error) error {
	text, _, quotes := strings.Cut(err.Error(), `"`)
	if !quotes {
		return err
	}
	return errors.New(text + "…")
}

// refused turns an answer with an error status into a problem.
func (t target) refused(ctx context.Context, resp *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	if err != nil && ending(ctx) != nil {
		return ending(ctx)
	}
	if resp.StatusCode == http.StatusNotImplemented {
		return problem.Newf(problem.NotOffered, "%s does not do that with this model (501).", t.name)
	}
	if resp.StatusCode < 400 {
		return problem.Newf(problem.UpstreamMalformed, "%s answered with status %d, which is no answer to this request.", t.name, resp.StatusCode)
	}
	parse := openai.ParseFailure
	if t.kind == settings.KindAnthropic {
		parse = anthropic.ParseFailure
	}
	p := parse(t.name, resp.StatusCode, body)
	if after, err := time.ParseDuration(strings.TrimSpace(resp.Header.Get("Retry-After")) + "s"); err == nil && after > 0 {
		p.RetryAfter = after
	}
	return p
}

// ending is the problem for which ctx was ended, nil while it goes on.
func ending(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return problem.From(context.Cause(ctx))
}
