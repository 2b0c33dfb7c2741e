package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Names of the ways that are compared; "direct" is the upstream itself.
const (
	wayDirect  = "direct"
	wayProxy   = "proxy"
	wayGateway = "gateway"
	wayNginx   = "nginx"
	wayLiteLLM = "LiteLLM"
)

var comparedWays = []string{wayDirect, wayProxy, wayGateway, wayNginx, wayLiteLLM}

// convertingWays answer clients of Messages out of an upstream that speaks Chat Completions.
var convertingWays = []string{wayGateway, wayLiteLLM}

// comparison is the gateway beside other proxies, on the same upstream.
type comparison struct {
	Versions map[string]string `json:"versions"`
	Workers  int               `json:"workers"` // processes of nginx and of LiteLLM
	Series   []*comparedSeries `json:"series"`
	// Converted are of clients that speak Messages.
	Converted []*comparedSeries `json:"converted"`
	// AnswerMS is from the start of a process to its first answer.
	AnswerMS map[string][]float64 `json:"first_answer_ms"`
	Memory   map[string]memory    `json:"memory"`
}

// comparedSeries is one shape at one number of connections: bouts by way, round by round.
type comparedSeries struct {
	Shape       string            `json:"shape"`
	Connections int               `json:"connections"`
	Bouts       map[string][]bout `json:"bouts"`
}

const comparedModel = "ok-16"

func compare(ctx context.Context, m *measuring) (result, error) {
	if err := m.rivals.find(); err != nil {
		return nil, err
	}
	if err := m.start(ctx); err != nil { // upstream, proxy and gateway
		return nil, err
	}
	out := &comparison{Workers: workers(), Versions: m.rivals.versions(ctx), AnswerMS: map[string][]float64{}, Memory: map[string]memory{}}
	ways := map[string]way{
		wayDirect:  {name: wayDirect, url: m.urls[direct], child: m.children[0]},
		wayProxy:   {name: wayProxy, url: m.urls[proxied], child: m.children[1]},
		wayGateway: {name: wayGateway, url: m.urls[gated], child: m.gateway.child},
	}
	if err := m.comparedStarts(ctx, out, ways); err != nil {
		return nil, err
	}
	var err error
	if out.Series, err = m.comparedSeries(ctx, ways, comparedWays, directions[0]); err != nil {
		return nil, err
	}
	if out.Converted, err = m.comparedSeries(ctx, ways, convertingWays, directions[1]); err != nil {
		return nil, err
	}
	for name, w := range ways {
		u, err := w.usage(ctx)
		if err != nil {
			return nil, err
		}
		out.Memory[name] = memory{NowBytes: u.now, PeakBytes: u.peak}
	}
	return out, nil
}

// comparedSeries loads the ways that are named with requests of one protocol.
func (m *measuring) comparedSeries(ctx context.Context, ways map[string]way, names []string, d direction) (all []*comparedSeries, err error) {
	for _, shape := range []string{"json", "sse"} {
		stream := shape == "sse"
		asked := d.body(comparedModel, stream)
		for _, name := range names {
			if _, err := ways[name].answers(ctx, d, asked, stream); err != nil {
				return nil, fmt.Errorf("%s, %s: %w", name, d.name, err)
			}
			if _, err := m.putAt(ctx, ways[name], d.path, asked, 8, m.boutOf(name)); err != nil { // warm up
				return nil, err
			}
		}
		for _, connections := range []int{1, 8, 32} {
			s := &comparedSeries{Shape: shape, Connections: connections, Bouts: map[string][]bout{}}
			if err := m.comparedRounds(ctx, s, ways, names, d.path, asked); err != nil {
				return nil, err
			}
			all = append(all, s)
		}
	}
	return all, nil
}

// comparedStarts times starts; the last of each rival stays for the load.
func (m *measuring) comparedStarts(ctx context.Context, out *comparison, ways map[string]way) error {
	starts := map[string]func() (way, error){
		wayProxy: func() (way, error) { return m.startProxy(ctx) },
		wayGateway: func() (way, error) {
			g, err := m.serve(ctx, "mlxbar serve", filepath.Join(m.dir, "load-starts"))
			if err != nil {
				return way{}, err
			}
			return way{name: wayGateway, url: g.url, child: g.child}, nil
		},
		wayNginx:   func() (way, error) { return m.startNginx(ctx) },
		wayLiteLLM: func() (way, error) { return m.startLiteLLM(ctx, comparedModel) },
	}
	if err := dataFolder(filepath.Join(m.dir, "load-starts"), route{Model: "*", URL: m.urls[direct] + "/v1"}); err != nil {
		return err
	}
	rounds := m.rounds(1, 3)
	for round := range rounds {
		for _, name := range comparedWays[1:] {
			m.progress("start: %s, %d of %d", name, round+1, rounds)
			begun := time.Now()
			w, err := starts[name]()
			if err == nil {
				err = w.firstAnswer(ctx, comparedModel)
			}
			if err != nil {
				return err
			}
			out.AnswerMS[name] = append(out.AnswerMS[name], float64(time.Since(begun))/float64(time.Millisecond))
			if _, runs := ways[name]; !runs && round == rounds-1 {
				ways[name] = w
				continue
			}
			if err := m.end(w.child); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *measuring) startProxy(ctx context.Context, env ...string) (way, error) {
	self, err := os.Executable()
	if err != nil {
		return way{}, err
	}
	c, err := startChild(ctx, "reverse proxy", env, self, proxyCommand, m.urls[direct])
	if err != nil {
		return way{}, err
	}
	m.children = append(m.children, c)
	return way{name: wayProxy, url: c.url, child: c}, nil
}

// comparedRounds loads every way in turn; another one begins each round.
func (m *measuring) comparedRounds(ctx context.Context, s *comparedSeries, ways map[string]way, names []string, path, body string) error {
	rounds := m.rounds(1, 3)
	for round := range rounds {
		m.progress("compare: %s, %s, %d connections, round %d of %d", path, s.Shape, s.Connections, round+1, rounds)
		for i := range names {
			w := ways[names[(round+i)%len(names)]]
			b, err := m.putAt(ctx, w, path, body, s.Connections, m.boutOf(w.name))
			if err != nil {
				return err
			}
			s.Bouts[w.name] = append(s.Bouts[w.name], b)
		}
	}
	return nil
}

// boutOf is longer for LiteLLM, which answers a few dozen requests a second.
func (m *measuring) boutOf(name string) time.Duration {
	if name == wayLiteLLM {
		return 4*time.Second + m.bout()
	}
	return m.bout()
}

// versions asks each program for its own.
func (r rivals) versions(ctx context.Context) map[string]string {
	out := map[string]string{}
	if said, err := exec.CommandContext(ctx, r.nginx, "-v").CombinedOutput(); err == nil {
		_, version, _ := strings.Cut(strings.TrimSpace(string(said)), "nginx/")
		out[wayNginx] = version
	}
	python := filepath.Join(filepath.Dir(r.litellm), "python")
	if said, err := exec.CommandContext(ctx, python, "-c", "import importlib.metadata as m; print(m.version('litellm'))").Output(); err == nil {
		out[wayLiteLLM] = strings.TrimSpace(string(said))
	}
	return out
}
