package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"mlxbar/backend/bench"
)

// circuitRun is how long the answer of an open circuit takes, to one request each millisecond and to as many as one
// connection can ask.
type circuitRun struct {
	Direct delays             `json:"direct"` // the upstream itself, when it refuses
	Paced  delays             `json:"paced"`
	Bouts  []bench.LoadResult `json:"bouts"`
}

const (
	maxCircuitMS    = 1
	circuitRequests = 4000
	circuitPause    = time.Millisecond
)

// openCircuit has a route lead where nobody listens until its target is left alone, and then asks on. All of it ends
// well within the time for which the target is.
func (b *benchmark) openCircuit(ctx context.Context, p protocolsPlan) (*circuitRun, error) {
	b.progress("an open circuit")
	run := &circuitRun{}
	upstream := way{name: wayDirect, url: b.urls[direct], child: b.upstream}
	var err error
	if run.Direct, err = upstream.paced(ctx, chatBody("status-503", false), circuitRequests, circuitPause); err != nil {
		return nil, err
	}
	w, err := b.leftAlone(ctx)
	if err != nil {
		return nil, err
	}
	if run.Paced, err = w.paced(ctx, chatBody("gone", false), circuitRequests, circuitPause); err != nil {
		return nil, err
	}
	for range min(4, p.Rounds) {
		r, err := b.wrk.Run(ctx, bench.Load{URL: w.url + chatPath, Body: chatBody("gone", false), Connections: 1, Duration: time.Second})
		if err != nil {
			return nil, err
		}
		if refused := r.Errors.Status; refused != r.Requests || r.Requests == 0 {
			return nil, fmt.Errorf("%d of %d requests were refused", refused, r.Requests)
		}
		run.Bouts = append(run.Bouts, r)
	}
	open, err := w.refuses(ctx)
	if err == nil && !open {
		err = errors.New("the circuit closed while it was measured")
	}
	return run, errors.Join(err, b.end(w.child))
}

// leftAlone starts a gateway and opens the circuit of the only target that it has.
func (b *benchmark) leftAlone(ctx context.Context) (way, error) {
	nobody, err := freeAddr()
	if err != nil {
		return way{}, err
	}
	dir := filepath.Join(b.dir, "circuit")
	if err := dataFolder(dir, route{Model: "*", URL: "http://" + nobody + "/v1"}); err != nil {
		return way{}, err
	}
	g, err := b.serve(ctx, "mlxbar serve, circuit", dir)
	if err != nil {
		return way{}, err
	}
	w := way{name: wayGateway, url: g.url, child: g.child}
	const most = 20
	for range most {
		if open, err := w.refuses(ctx); err != nil || open {
			return w, err
		}
	}
	return w, fmt.Errorf("the circuit of a target that cannot be reached is not open after %d requests", most)
}

// refuses asks whether the circuit is open.
func (w way) refuses(ctx context.Context) (bool, error) {
	_, body, err := w.post(ctx, chatPath, chatBody("gone", false))
	return strings.Contains(body, `"circuit_open"`), err
}

// paced asks over and over on one connection, with a pause before each request. All are to be refused.
func (w way) paced(ctx context.Context, body string, requests int, pause time.Duration) (delays, error) {
	conn, err := dialPost(ctx, w.url, chatPath, body)
	if err != nil {
		return delays{}, err
	}
	defer conn.close()
	took := make([]float64, 0, requests)
	for range requests {
		time.Sleep(pause)
		begun := time.Now()
		res, err := conn.post()
		if err != nil {
			return delays{}, err
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			return delays{}, err
		}
		took = append(took, float64(time.Since(begun))/float64(time.Millisecond))
		if res.StatusCode != http.StatusServiceUnavailable {
			return delays{}, fmt.Errorf("a request was answered with status %d", res.StatusCode)
		}
	}
	return summarize(took), nil
}

// flatOut is what wrk saw, medians over the bouts.
func (c *circuitRun) flatOut() (p50, p99 float64, requests int64) {
	var medians, tails []float64
	for _, r := range c.Bouts {
		medians, tails, requests = append(medians, r.P50US/1000), append(tails, r.P99US/1000), requests+r.Requests
	}
	return bench.Median(medians), bench.Median(tails), requests
}

func (c *circuitRun) judge(aim func(name, wanted, measured string, ok bool)) {
	if c == nil {
		return
	}
	aim("answer of an open circuit, median", "< 1.00 ms", fmt.Sprintf("%.3f ms", c.Paced.P50MS), c.Paced.P50MS < maxCircuitMS)
	aim("answer of an open circuit, p99", "< 1.00 ms", fmt.Sprintf("%.3f ms", c.Paced.P99MS), c.Paced.P99MS < maxCircuitMS)
}

func (c *circuitRun) print(w io.Writer) {
	if c == nil {
		return
	}
	p50, p99, n := c.flatOut()
	fmt.Fprintf(w, "\n%-31s %9s %9s %9s %9s\n", "Open circuit, a pause of 1 ms", "answers", "median,ms", "p99, ms", "worst, ms")
	for _, x := range []struct {
		name string
		of   delays
	}{{"upstream that refuses, direct", c.Direct}, {"gateway", c.Paced}} {
		fmt.Fprintf(w, "  %-29s %9s %9.3f %9.3f %9.2f\n", x.name, thousands(int(x.of.Count)), x.of.P50MS, x.of.P99MS, x.of.MaxMS)
	}
	fmt.Fprintf(w, "  %-29s %9s %9.3f %9.3f\n", "gateway, with no pause", thousands(int(n)), p50, p99)
}
