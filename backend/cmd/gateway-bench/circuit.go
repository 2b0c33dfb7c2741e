package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"mlxbar/backend/bench"
)

// circuitRun is how long the answer of an open circuit takes, to one request each millisecond and to as many as one
// connection can ask.
type circuitRun struct {
	Paced delays             `json:"paced"`
	Bouts []bench.LoadResult `json:"bouts"`
}

const (
	maxCircuitMS    = 1
	circuitRequests = 4000
	circuitPause    = time.Millisecond
)

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
	if run.Paced, err = w.paced(ctx, chatBody("gone", false), circuitRequests, circuitPause); err != nil {
		return nil, err
	}
	for range min(4, p.Rounds) { // well within the time for which the target is left alone
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

// paced asks over and over on one connection, with a pause before each request. All are to be refused.
func (w way) paced(ctx context.Context, body string, requests int, pause time.Duration) (delays, error) {
	at, err := url.Parse(w.url)
	if err != nil {
		return delays{}, err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", at.Host)
	if err != nil {
		return delays{}, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	message := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", chatPath, at.Host, len(body), body)
	answers, took := bufio.NewReader(conn), make([]float64, 0, requests)
	for range requests {
		time.Sleep(pause)
		begun := time.Now()
		if _, err := conn.Write(message); err != nil {
			return delays{}, err
		}
		res, err := http.ReadResponse(answers, nil)
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
	fmt.Fprintf(w, "\n%-31s %9s %9s %9s %9s\n", "Open circuit, 1 connection", "answers", "median", "p99", "worst")
	fmt.Fprintf(w, "  %-29s %9s %9.3f %9.3f %9.2f\n", "a request each ms, in ms", thousands(int(c.Paced.Count)), c.Paced.P50MS, c.Paced.P99MS, c.Paced.MaxMS)
	fmt.Fprintf(w, "  %-29s %9s %9.3f %9.3f\n", "as many as it takes, in ms", thousands(int(n)), p50, p99)
}
