package gateway

import (
	"context"
	"io"
	"net/http"
	"slices"

	"mlxbar/backend/audit"
	"mlxbar/backend/gateway/openai"
	"mlxbar/backend/prices"
)

// post sends the request to t and notes whether it left this machine by that: whether a provider elsewhere
// took the connection. All of the body counts as sent then, for what an upstream that breaks off has
// taken of it nobody knows.
func (x *exchange) post(ctx context.Context, t *target) (*http.Response, error) {
	resp, connected, err := x.upstream.send(ctx, *t, x.request.Stream)
	if t.away == nil || !connected {
		return resp, err
	}
	at := slices.IndexFunc(x.left, func(d audit.Departure) bool { return d.Provider == t.away.Name })
	if at < 0 {
		at = len(x.left)
		x.left = append(x.left, audit.Departure{Provider: t.away.Name})
	}
	d := &x.left[at]
	d.BytesOut += int64(len(t.body))
	d.HTTPStatus = 0
	if resp != nil {
		d.HTTPStatus = int64(resp.StatusCode)
		resp.Body = &arriving{resp.Body, x, at}
	}
	return resp, err
}

// arriving counts what comes from a provider elsewhere.
type arriving struct {
	io.ReadCloser
	x  *exchange
	at int // in left
}

func (a *arriving) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	a.x.left[a.at].BytesIn += int64(n)
	return n, err
}

// Unwrap is the body itself.
func (a *arriving) Unwrap() io.Reader { return a.ReadCloser }

// cost is what t's provider charges for an answer, by the prices when the request began; nil when that
// is not known, or the answer came from this machine.
func (x *exchange) cost(t *target, u openai.Usage) *float64 {
	if t.away == nil || x.Prices == nil {
		return nil
	}
	used := prices.Usage{CacheWrite: u.CacheWrite, CacheWrite1H: u.CacheWrite1H}
	for _, of := range []struct {
		to   *int64
		from *int64
	}{{&used.Prompt, u.Prompt}, {&used.Cached, u.Cached}, {&used.Completion, u.Completion}} {
		if of.from != nil {
			*of.to = *of.from
		}
	}
	price := x.Prices().Find(string(t.away.Kind), t.away.Host(), x.record.ServedModel, x.record.StartedAt, used.Prompt)
	counts := t.dialect == countDialect // which costs nothing
	if price == nil || !counts && (u.Prompt == nil || u.Completion == nil && price.Output != nil) {
		return nil
	}
	usd := price.Cost(used)
	return &usd
}
