// Package hub asks the Hugging Face Hub, or a server that speaks its HTTP API: it searches models, lists a
// repository's files with their hashes, and opens a file at any place in it. Nothing is asked but what a person
// asks for, and the token goes to the Hub's own host and no other.
package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mlxbar/backend/loopback"
)

// DefaultEndpoint is the Hub's address. The variable HF_ENDPOINT names another.
const DefaultEndpoint = "https://huggingface.co"

// EndpointVariable names another Hub.
const EndpointVariable = "HF_ENDPOINT"

const (
	connectTime = 15 * time.Second
	headerTime  = 30 * time.Second
	askTime     = time.Minute // for a whole answer of the API
	maxAnswer   = 32 << 20    // of a repository with very many files
	maxHops     = 10
)

// Client asks one Hub. It is safe for concurrent use. Close it when done.
type Client struct {
	base  *url.URL
	token func(context.Context) (string, error)
	http  *http.Client
	agent string
}

// Options say which Hub a client asks, and how.
type Options struct {
	Endpoint string // "" is DefaultEndpoint
	// Token is asked for before each request; "" goes without one. Nil never has one. An error does not stop a
	// request, since most of the Hub is open to all, but is told when the Hub refuses it.
	Token func(context.Context) (string, error)
	Agent string // the User-Agent
}

// New makes a client. An address that cannot be used is an error that names HF_ENDPOINT.
func New(o Options) (*Client, error) {
	if o.Endpoint == "" {
		o.Endpoint = DefaultEndpoint
	}
	base, err := url.Parse(strings.TrimRight(o.Endpoint, "/"))
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("%s must be an address such as %s, without a name, password or query", EndpointVariable, DefaultEndpoint)
	}
	if o.Token == nil {
		o.Token = func(context.Context) (string, error) { return "", nil }
	}
	c := &Client{base: base, token: o.Token, agent: o.Agent}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: connectTime, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   connectTime,
		ResponseHeaderTimeout: headerTime,
		IdleConnTimeout:       30 * time.Second,
		MaxIdleConnsPerHost:   4,
		ForceAttemptHTTP2:     true,
		DisableCompression:    true, // sizes and ranges are those of the file
	}
	c.http = &http.Client{Transport: transport, CheckRedirect: c.follow}
	return c, nil
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Host is the Hub's host, as people know it.
func (c *Client) Host() string { return c.base.Host }

// follow looks at each redirect. net/http would keep the token for subdomains and other ports of the same host; here it
// goes back to exactly where it belongs or nowhere.
func (c *Client) follow(next *http.Request, via []*http.Request) error {
	if len(via) >= maxHops {
		return errors.New("it redirects without end")
	}
	if next.URL.Scheme != "https" && via[0].URL.Scheme == "https" {
		return errors.New("it redirects to an address that is not encrypted")
	}
	if next.URL.Scheme != "https" && next.URL.Scheme != "http" {
		return errors.New("it redirects to something that is not HTTP")
	}
	next.Header.Del("Referer") // says what is fetched to those whom it is fetched from
	next.Header.Del("Authorization")
	if token := via[0].Header.Get("Authorization"); token != "" && c.own(next.URL) {
		next.Header.Set("Authorization", token)
	}
	return nil
}

// own says whether u is at the Hub itself.
func (c *Client) own(u *url.URL) bool {
	return u.Scheme == c.base.Scheme && strings.EqualFold(u.Host, c.base.Host)
}

// send asks for the path below the endpoint. Whoever gets an answer closes its body.
func (c *Client) send(ctx context.Context, path, query string, header http.Header) (*http.Response, error) {
	u := *c.base
	u.RawPath = u.EscapedPath() + path
	var err error
	if u.Path, err = url.PathUnescape(u.RawPath); err != nil {
		return nil, fmt.Errorf("ask %s: %w", c.base.Host, err)
	}
	u.RawQuery = query
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", c.base.Host, bare(err))
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", c.agent)
	token, tokenErr := c.token(ctx)
	if token != "" {
		if c.base.Scheme != "https" && !loopback.Host(c.base.Hostname()) {
			return nil, &Error{Kind: Unencrypted, Host: c.base.Host}
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, &Error{Kind: Unreachable, Host: c.base.Host, Cause: bare(err)}
	}
	if resp.StatusCode < 200 || resp.StatusCode >= 300 {
		defer resp.Body.Close()
		io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection is used again; what it says is not ours to repeat
		e := refusal(resp, token != "", tokenErr)
		e.Host = c.base.Host
		return nil, e
	}
	return resp, nil
}

// ask has the API's answer to path as JSON.
func (c *Client) ask(ctx context.Context, path, query string, answer any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, askTime, &Error{Kind: Unreachable, Host: c.base.Host, Cause: errors.New("it took too long to answer")})
	defer cancel()
	resp, err := c.send(ctx, path, query, http.Header{"Accept": {"application/json"}})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return &Error{Kind: Unreachable, Host: c.base.Host, Cause: bare(err)}
	case len(raw) > maxAnswer:
		return &Error{Kind: Malformed, Host: c.base.Host, Cause: errors.New("the answer is larger than any of the Hub's")}
	}
	if err := json.Unmarshal(raw, answer); err != nil {
		return &Error{Kind: Malformed, Host: c.base.Host, Cause: err}
	}
	return nil
}

// bare takes the address out of an error of net/http: those that the Hub redirects to are signed, and whoever reads
// one can fetch the file.
func bare(err error) error {
	var withAddress *url.Error
	if errors.As(err, &withAddress) {
		err = withAddress.Err
	}
	if strings.Contains(err.Error(), "Location header") { // and quotes it
		return errors.New("it redirects to something that is no address")
	}
	return err
}
