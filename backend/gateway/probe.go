package gateway

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/identity"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/routing"
	"mlxbar/backend/settings"
)

const (
	// probeTime is how long a provider has to list its models. Somebody waits for it.
	probeTime = 10 * time.Second
	// maxModelList is far more than any provider's list has.
	maxModelList = 16 << 20
)

// Probe asks p for its models, as a test of address, key and protocol that costs nothing, and returns how many there
// are. Its error is a problem, in words of our own.
func (g *Gateway) Probe(ctx context.Context, p *settings.Provider) (models int, err error) {
	if s := g.Settings(); !mayAsk(&s, *p) {
		return 0, problem.Newf(problem.LocalOnly, "Provider %s is not on this machine, and local_only lets nothing leave it.", p.Name)
	}
	limit := cmp.Or(g.ProbeTime, probeTime)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, problem.Newf(problem.Timeout, "Provider %s did not answer within %s.", p.Name, settings.Duration(limit)))
	defer cancel()
	key, err := g.keyOf(ctx, p)
	if err != nil {
		return 0, err
	}
	models, err = g.upstream.countModels(ctx, target{name: nameOf(routing.Destination{Provider: p}), kind: p.Kind, url: under(p.BaseURL, "/v1/models"), key: key})
	if err != nil && problem.From(err).Kind == problem.UpstreamKey {
		g.Credentials.Refused(p)
		if key == "" {
			err = problem.Newf(problem.UpstreamKey, "Provider %s wants a key, and none is set for it.", p.Name).Because(err)
		}
	}
	return models, err
}

func (c *upstreamClient) countModels(ctx context.Context, t target) (int, error) {
	if t.kind == settings.KindAnthropic {
		t.url += "?limit=1000" // it lists twenty at once else
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url, nil)
	if err != nil {
		return 0, problem.New(problem.Internal, "The request to the upstream could not be made.").Because(err)
	}
	req.Header["User-Agent"], req.Header["Accept"] = c.userAgent, jsonType
	identity.Write(req.Header, t.kind, t.key)
	resp, connected, err := roundTrip(c.transport(t, req), req)
	if err != nil {
		return 0, t.unreachable(ctx, err, connected)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxModelList+1))
	if err != nil {
		return 0, t.broken(ctx, err)
	}
	if err := t.noList(resp, body); err != nil {
		return 0, err
	}
	return int(gjson.GetBytes(body, "data.#").Int()), nil
}

// noList is why an answer is no list of models, nil for one.
func (t target) noList(resp *http.Response, body []byte) error {
	status := resp.StatusCode
	switch {
	case status >= 300 && status < 400:
		return problem.Newf(problem.UpstreamMalformed, "%s sends on to another address (%d), where no request follows; its base_url is most likely not quite right.", t.name, status)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return problem.Newf(problem.UpstreamKey, "%s refused the key that mlxbar sent (%d).", t.name, status)
	case status == http.StatusNotFound || status == http.StatusMethodNotAllowed || status == http.StatusNotImplemented:
		return problem.Newf(problem.NotOffered, "%s has no list of models below its base_url (%d); most base_urls end in /v1.", t.name, status)
	case status == http.StatusTooManyRequests:
		return problem.Newf(problem.RateLimited, "%s limits requests (429); wait a little.", t.name)
	case status >= 400 && status < 500:
		return problem.Newf(problem.UpstreamRefused, "%s refused to list its models (%d).", t.name, status)
	case status != http.StatusOK:
		return problem.Newf(problem.UpstreamFailed, "%s failed to answer (%d).", t.name, status)
	case len(body) > maxModelList:
		return problem.Newf(problem.UpstreamMalformed, "%s sent a list of models that is larger than %d MiB.", t.name, maxModelList>>20)
	case strings.Contains(resp.Header.Get("Content-Type"), "html") || bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")):
		return problem.Newf(problem.UpstreamMalformed, "%s answered with a web page instead of a list of models; most base_urls end in /v1.", t.name)
	}
	data := gjson.GetBytes(body, "data")
	if !gjson.ValidBytes(body) || !data.IsArray() && !(data.Exists() && data.Type == gjson.Null) { // Ollama without models says null
		return problem.Newf(problem.UpstreamMalformed, "%s answered with something that is no list of models.", t.name)
	}
	return nil
}
