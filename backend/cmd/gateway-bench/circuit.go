package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"mlxbar/backend/bench"
)

// circuitRun is how long the answer of an open circuit takes.
type circuitRun struct {
	Bouts []bench.LoadResult `json:"bouts"`
}

const maxCircuitMS = 1

// openCircuit has a route lead where nobody listens until its target is left alone, and then asks on.
func (b *benchmark) openCircuit(ctx context.Context, p protocolsPlan) (*circuitRun, error) {
	b.progress("an open circuit")
	nobody, err := freeAddr()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(b.dir, "circuit")
	if err := dataFolder(dir, route{Model: "*", URL: "http://" + nobody + "/v1"}); err != nil {
		return nil, err
	}
	g, err := b.serve(ctx, "mlxbar serve, circuit", dir)
	if err != nil {
		return nil, err
	}
	w := way{name: wayGateway, url: g.url, child: g.child}
	isOpen := func() (bool, error) {
		_, body, err := w.post(ctx, chatPath, chatBody("gone", false))
		return strings.Contains(body, "circuit_open"), err
	}
	for tries := 0; ; tries++ {
		open, err := isOpen()
		if err != nil {
			return nil, err
		}
		if open {
			break
		}
		if tries == 20 {
			return nil, fmt.Errorf("the circuit of a target that cannot be reached is not open after %d requests", tries)
		}
	}
	run := &circuitRun{}
	for range max(2, p.Rounds/2) { // well within the time for which the target is left alone
		r, err := b.wrk.Run(ctx, bench.Load{URL: g.url + chatPath, Body: chatBody("gone", false), Connections: 1, Duration: time.Second})
		if err != nil {
			return nil, err
		}
		if refused := r.Errors.Status; refused != r.Requests || r.Requests == 0 {
			return nil, fmt.Errorf("%d of %d requests were refused", refused, r.Requests)
		}
		run.Bouts = append(run.Bouts, r)
	}
	if open, err := isOpen(); err != nil || !open {
		return nil, fmt.Errorf("the circuit is no longer open (%w)", err)
	}
	return run, b.end(g.child)
}

func (c *circuitRun) figures() (p50, p99 float64, requests int64) {
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
	p50, p99, _ := c.figures()
	aim("answer of an open circuit, median", "< 1.00 ms", fmt.Sprintf("%.3f ms", p50), p50 < maxCircuitMS)
	aim("answer of an open circuit, p99", "< 1.00 ms", fmt.Sprintf("%.3f ms", p99), p99 < maxCircuitMS)
}

func (c *circuitRun) print(w io.Writer) {
	if c == nil {
		return
	}
	p50, p99, n := c.figures()
	fmt.Fprintf(w, "\nAn open circuit answers in %.3f ms, p99 %.3f ms (%s requests, one by one)\n", p50, p99, thousands(int(n)))
}
