package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mlxbar/backend/bench"
)

// The three ways to the same upstream.
const (
	direct = iota
	proxied
	gated
	nPaths
)

var pathNames = [nPaths]string{"direct", "proxy", "gateway"}

// series is one shape at one number of connections: for each path the result of
// every round.
type series struct {
	Shape       string                     `json:"shape"` // json or sse
	Connections int                        `json:"connections"`
	Rounds      [nPaths][]bench.LoadResult `json:"rounds"` // direct, proxy, gateway
}

func (s *series) perSecond(path int) []float64 {
	return s.collect(path, bench.LoadResult.PerSecond)
}

func (s *series) medianMS(path int) []float64 {
	return s.collect(path, func(r bench.LoadResult) float64 { return r.P50US / 1000 })
}

func (s *series) p99MS(path int) []float64 {
	return s.collect(path, func(r bench.LoadResult) float64 { return r.P99US / 1000 })
}

func (s *series) collect(path int, f func(bench.LoadResult) float64) []float64 {
	var out []float64
	for _, r := range s.Rounds[path] {
		out = append(out, f(r))
	}
	return out
}

// model is the script that answers under load. The gateway's requests write its
// number with a zero in front, so that the upstream can tell whose it saw.
func (o options) model(path int) string {
	if path == gated {
		return fmt.Sprintf("ok-0%d", o.Chunks)
	}
	return fmt.Sprintf("ok-%d", o.Chunks)
}

func (o options) body(path int, stream bool) string {
	return fmt.Sprintf(`{"model":%q,"stream":%v,"temperature":0,"messages":[{"role":"system","content":"You are a helpful assistant."},`+
		`{"role":"user","content":"Tell me about marzipan, and why almonds and sugar go together so well."}]}`, o.model(path), stream)
}

// load runs every round of every series.
func (b *benchmark) load(ctx context.Context) error {
	o := b.options
	for _, shape := range []string{"json", "sse"} {
		for path := range nPaths {
			if _, err := b.bout(ctx, path, shape, 8, time.Second); err != nil { // warm up
				return err
			}
		}
		for _, connections := range o.Connections {
			s := &series{Shape: shape, Connections: connections}
			for round := range o.Rounds {
				b.progress("load: %s, %d connections, round %d of %d", shape, connections, round+1, o.Rounds)
				for i := range nPaths {
					path := (round + i) % nPaths // nobody is always first
					r, err := b.bout(ctx, path, shape, connections, o.Duration)
					if err != nil {
						return err
					}
					s.Rounds[path] = append(s.Rounds[path], r)
				}
			}
			b.report.Load = append(b.report.Load, s)
		}
	}
	now, peak, err := b.gateway.memory()
	b.report.Memory = memory{NowBytes: now, PeakBytes: peak}
	return err
}

// bout puts load on one path, and keeps the ledger if that is the gateway.
func (b *benchmark) bout(ctx context.Context, path int, shape string, connections int, d time.Duration) (bench.LoadResult, error) {
	r, err := b.wrk.Run(ctx, bench.Load{
		URL: b.urls[path] + "/v1/chat/completions", Body: b.options.body(path, shape == "sse"), Connections: connections, Duration: d})
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		return r, fmt.Errorf("%s, %s, %d connections: %w", pathNames[path], shape, connections, err)
	}
	if path == gated {
		b.report.Audit.Load.Completed += r.Requests
		b.report.Audit.Load.CutAtMost += int64(connections)
	}
	return r, nil
}

// account closes the ledger of the load.
func (b *benchmark) account(ctx context.Context) error {
	b.progress("audit: counting")
	rows, err := b.gateway.rows(ctx)
	if err != nil {
		return err
	}
	seen, err := b.upstreamSaw(ctx)
	if err != nil {
		return err
	}
	b.report.Audit.Load.Rows, b.report.Audit.Load.Upstream = rows, seen
	return b.exact(ctx, rows, seen)
}

// exact sends a known number of requests and reads each answer to its end: here
// nothing is in flight at the end, and all counts must be equal.
func (b *benchmark) exact(ctx context.Context, before bench.Rows, seen int64) error {
	const workers = 8
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}
	defer client.CloseIdleConnections()
	var next, completed atomic.Int64
	var failed sync.Map
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for n := next.Add(1); n <= int64(b.options.Exact) && ctx.Err() == nil; n = next.Add(1) {
				if err := b.one(ctx, client, n%2 == 0); err != nil {
					failed.Store(err.Error(), true)
					return
				}
				completed.Add(1)
			}
		})
	}
	all.Wait()
	for text := range failed.Range {
		return fmt.Errorf("exact count: %s", text)
	}
	rows, err := b.gateway.rows(ctx)
	if err != nil {
		return err
	}
	after, err := b.upstreamSaw(ctx)
	if err != nil {
		return err
	}
	b.report.Audit.Exact = bench.Ledger{Completed: completed.Load(), Upstream: after - seen, Rows: bench.Rows{
		Total: rows.Total - before.Total, Success: rows.Success - before.Success,
		Cancelled: rows.Cancelled - before.Cancelled, Running: rows.Running}}
	return nil
}

func (b *benchmark) one(ctx context.Context, client *http.Client, stream bool) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.urls[gated]+"/v1/chat/completions", strings.NewReader(b.options.body(gated, stream)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.300s", res.Status, body)
	}
	return err
}

// upstreamSaw is how many of the gateway's requests came to the upstream.
func (b *benchmark) upstreamSaw(ctx context.Context) (int64, error) {
	var counts struct {
		ByModel map[string]int64 `json:"by_model"`
	}
	err := getJSON(ctx, b.urls[direct]+"/counts", "", &counts)
	return counts.ByModel[b.options.model(gated)], err
}
