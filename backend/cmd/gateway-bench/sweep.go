package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"mlxbar/backend/datadir"
	"mlxbar/backend/models"
)

// growth is how a request's cost grows along four axes.
type growth struct {
	Concurrency  []*point `json:"concurrency"`
	StreamLength []*point `json:"stream_length"`
	AuditSize    []*point `json:"audit_size"`
	Models       []*point `json:"models"`
}

// point is one value on an axis, for one shape and one way.
type point struct {
	Value int    `json:"value"`
	Shape string `json:"shape"`
	Way   string `json:"way"`
	Bouts []bout `json:"bouts"`
	// Lists are the bouts of GET /v1/models, along the axis of models.
	Lists []listing `json:"lists,omitempty"`
}

// listing is a number of questions for the models, one after another.
type listing struct {
	Requests   int       `json:"requests"`
	CPUSeconds float64   `json:"cpu_s"`
	TookMS     []float64 `json:"took_ms"`
	Bytes      int       `json:"bytes"`
}

// The values on the axes.
var (
	concurrencies = []int{1, 2, 4, 8, 16, 32, 64}
	streamLengths = []int{16, 64, 256, 1024}
	auditSizes    = []int{0, 10_000, 100_000, 1_000_000}
	modelCounts   = []int{1, 10, 100, 1000}
)

// sweptConnections is the load where something else than concurrency is varied.
const sweptConnections = 8

func sweep(ctx context.Context, m *measuring) (result, error) {
	if err := m.start(ctx); err != nil {
		return nil, err
	}
	g := &growth{}
	for _, axis := range []func(context.Context, *growth) error{m.sweepConcurrency, m.sweepLength, m.sweepAudit, m.sweepModels} {
		if err := axis(ctx, g); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// gatewayAndProxy are the two ways of which the growth is compared.
func (m *measuring) gatewayAndProxy() []way {
	return []way{{name: wayGateway, url: m.urls[gated], child: m.gateway.child}, {name: wayProxy, url: m.urls[proxied], child: m.children[1]}}
}

// rotate loads each of ways in every round, another first each time.
func (m *measuring) rotate(ctx context.Context, ways []way, points []*point, body string, connections int, d time.Duration) error {
	for round := range m.rounds(1, 2) {
		for i := range ways {
			n := (round + i) % len(ways)
			b, err := m.put(ctx, ways[n], body, connections, d)
			if err != nil {
				return err
			}
			points[n].Bouts = append(points[n].Bouts, b)
		}
	}
	return nil
}

func pointsFor(ways []way, value int, shape string) (points []*point) {
	for _, w := range ways {
		points = append(points, &point{Value: value, Shape: shape, Way: w.name})
	}
	return points
}

func (m *measuring) sweepConcurrency(ctx context.Context, g *growth) error {
	ways := m.gatewayAndProxy()
	for _, shape := range []string{"json", "sse"} {
		for _, n := range concurrencies {
			m.progress("sweep: %s, %d connections", shape, n)
			points := pointsFor(ways, n, shape)
			if err := m.rotate(ctx, ways, points, chatBody("ok-16", shape == "sse"), n, time.Second); err != nil {
				return err
			}
			g.Concurrency = append(g.Concurrency, points...)
		}
	}
	return nil
}

func (m *measuring) sweepLength(ctx context.Context, g *growth) error {
	ways := m.gatewayAndProxy()
	for _, n := range streamLengths {
		m.progress("sweep: streams of %d events", n)
		points := pointsFor(ways, n, "sse")
		if err := m.rotate(ctx, ways, points, chatBody("ok-"+strconv.Itoa(n), true), sweptConnections, m.bout()); err != nil {
			return err
		}
		g.StreamLength = append(g.StreamLength, points...)
	}
	return nil
}

// sweepAudit loads gateways whose audits hold so many records when a bout begins. What a
// bout adds would make a small audit a larger one, so each round of those gets a new one.
func (m *measuring) sweepAudit(ctx context.Context, g *growth) error {
	for _, n := range auditSizes {
		if m.quick && n > 100_000 {
			continue
		}
		g.AuditSize = append(g.AuditSize, &point{Value: n, Shape: "json", Way: wayGateway})
	}
	for round := range m.rounds(1, 3) {
		for i := range g.AuditSize {
			p := g.AuditSize[(round+i)%len(g.AuditSize)]
			m.progress("sweep: %d records", p.Value)
			dir := filepath.Join(m.dir, "audit-"+strconv.Itoa(p.Value))
			if p.Value <= 100_000 {
				dir += "-" + strconv.Itoa(round)
			}
			if err := m.sweepOneAudit(ctx, p, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *measuring) sweepOneAudit(ctx context.Context, p *point, dir string) error {
	if _, err := os.Stat(dir); err != nil {
		if err := dataFolder(dir, route{Model: "*", URL: m.urls[direct] + "/v1"}); err != nil {
			return err
		}
		if p.Value > 0 {
			if err := m.fill(ctx, &auditRun{Records: p.Value}, dir, time.Now().UTC().Truncate(time.Second)); err != nil {
				return err
			}
		}
	}
	s, err := m.serve(ctx, "mlxbar serve", dir)
	if err != nil {
		return err
	}
	w := way{name: wayGateway, url: s.url, child: s.child}
	if err := w.firstAnswer(ctx, "ok-16"); err != nil {
		return err
	}
	b, err := m.put(ctx, w, chatBody("ok-16", false), sweptConnections, m.bout())
	if err != nil {
		return err
	}
	p.Bouts = append(p.Bouts, b)
	return m.end(s.child)
}

// sweepModels loads gateways with so many models in the folder and as many routes, of which
// the last one is the request's.
func (m *measuring) sweepModels(ctx context.Context, g *growth) error {
	starter := filepath.Join(m.options.prepared, "models", models.StarterName+".gguf")
	var servers []*gateway
	var ways []way
	for _, n := range modelCounts {
		m.progress("sweep: a server with %d models", n)
		dir := filepath.Join(m.dir, "models-"+strconv.Itoa(n))
		if err := manyModels(dir, starter, n, m.urls[direct]+"/v1"); err != nil {
			return err
		}
		s, err := m.serve(ctx, "mlxbar serve", dir)
		if err != nil {
			return err
		}
		servers = append(servers, s)
		ways = append(ways, way{name: wayGateway, url: s.url, child: s.child})
		g.Models = append(g.Models, &point{Value: n, Shape: "json", Way: wayGateway})
	}
	for _, w := range ways { // the first list reads every file's header
		if _, err := m.listModels(ctx, w, 1); err != nil {
			return err
		}
	}
	if err := m.rotate(ctx, ways, g.Models, chatBody("ok-16", false), sweptConnections, m.bout()); err != nil {
		return err
	}
	for round := range m.rounds(1, 3) {
		for i := range ways {
			n := (round + i) % len(ways)
			l, err := m.listModels(ctx, ways[n], 50_000/max(100, g.Models[n].Value))
			if err != nil {
				return err
			}
			g.Models[n].Lists = append(g.Models[n].Lists, l)
		}
	}
	var errs []error
	for _, s := range servers {
		errs = append(errs, m.end(s.child))
	}
	return errors.Join(errs...)
}

// manyModels makes a data folder with n models, all of them links to one file, and n routes.
func manyModels(dir, file string, n int, upstream string) error {
	file, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	folder := datadir.At(dir).Models
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	var routes []route
	for i := range n {
		if err := os.Symlink(file, filepath.Join(folder, fmt.Sprintf("model-%04d.gguf", i))); err != nil {
			return err
		}
		if i < n-1 {
			routes = append(routes, route{Model: fmt.Sprintf("remote-%04d", i), URL: upstream})
		}
	}
	return dataFolder(dir, append(routes, route{Model: "ok-16", URL: upstream})...)
}

func (m *measuring) listModels(ctx context.Context, w way, n int) (listing, error) {
	before, err := w.usage(ctx)
	if err != nil {
		return listing{}, err
	}
	l := listing{Requests: n}
	for range n {
		begun := time.Now()
		if l.Bytes, err = getModels(ctx, w.url); err != nil {
			return l, err
		}
		l.TookMS = append(l.TookMS, float64(time.Since(begun))/float64(time.Millisecond))
	}
	after, err := w.usage(ctx)
	l.CPUSeconds = after.cpu - before.cpu
	return l, err
}

func getModels(ctx context.Context, url string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/v1/models", nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || !strings.Contains(string(body), "model-0000")) {
		err = fmt.Errorf("%s/v1/models: %s: %.200s", url, res.Status, body)
	}
	return len(body), err
}
