package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mlxbar/backend/bench/results"
	"mlxbar/backend/models"
	"mlxbar/backend/settings"
)

// advice is what settings and models of different kinds are worth, on this machine.
type advice struct {
	Trials     []*tried    `json:"trials"`
	Durability []*durable  `json:"durability"`
	Versions   []string    `json:"versions"`
	Threads    int         `json:"threads"` // of the engine where they are not the topic; 0 is its own choice
	FileBytes  []fileBytes `json:"files"`
}

// tried is a trial and what mlx-benchmark measured in every round.
type tried struct {
	Topic  string         `json:"topic"`
	Name   string         `json:"name"`
	Rounds []results.Case `json:"rounds"` // without the single requests
	// Memory is the resident memory of the engine's process at its highest, round by round.
	Memory []uint64 `json:"engine_peak_bytes"`
}

// durable is a gateway's load with records that are written sooner or later.
type durable struct {
	Durability  settings.Durability `json:"durability"`
	Connections int                 `json:"connections"`
	Bouts       []bout              `json:"bouts"`
}

type fileBytes struct {
	Model string `json:"model"`
	Bytes int64  `json:"bytes"`
}

//go:embed models.py
var modelsScript []byte

func advise(ctx context.Context, m *measuring) (result, error) {
	if err := built(m.benchmarkProgram()); err != nil {
		return nil, err
	}
	if _, err := os.Stat(m.python); err != nil {
		return nil, fmt.Errorf("%w; `make bench BENCH_ARGS=advise` installs it", err)
	}
	out := &advice{}
	if err := m.makeModels(ctx, out); err != nil {
		return nil, err
	}
	all := chosen(trials(m.quick, m.report.Machine.CPUs), m.topic)
	if len(all) == 0 {
		return nil, fmt.Errorf("-topic %q is in no topic's title", m.topic)
	}
	out.Threads = m.threads
	var server way
	if slices.ContainsFunc(all, func(t trial) bool { return t.model == mlxModel }) {
		s, err := m.startMLX(ctx)
		if err != nil {
			return nil, err
		}
		server = s
	}
	for _, t := range all {
		out.Trials = append(out.Trials, &tried{Topic: t.topic, Name: t.name})
	}
	rounds := m.rounds(1, 2)
	for round := range rounds {
		for i := range all {
			n := i
			if round%2 != 0 { // the other way round, so that nobody always follows the same one
				n = len(all) - 1 - i
			}
			m.progress("advise: %s: %s, round %d of %d", all[n].topic, all[n].name, round+1, rounds)
			if err := m.try(ctx, all[n], out.Trials[n], server); err != nil {
				return nil, fmt.Errorf("%s, %s: %w", all[n].topic, all[n].name, err)
			}
		}
	}
	if server.child != nil {
		if err := m.end(server.child); err != nil {
			return nil, err
		}
	}
	return out, m.tryDurability(ctx, out)
}

func (m *measuring) benchmarkProgram() string {
	return filepath.Join(filepath.Dir(m.options.mlxbar), "mlx-benchmark")
}

// madeTypes are the ways in which the starter model is stored anew.
var madeTypes = []string{"F16", "Q8_0", "Q4_0"}

// makeModels stores the starter model in other ways, in a folder of the run's own.
func (m *measuring) makeModels(ctx context.Context, out *advice) error {
	m.progress("advise: making variants of the starter model")
	script, folder := m.script(), m.variants()
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(script, modelsScript, 0o600); err != nil {
		return err
	}
	starter := filepath.Join(m.options.prepared, "models", models.StarterName+".gguf")
	for _, args := range [][]string{append([]string{"gguf", starter, folder}, madeTypes...), {"mlx", starter, filepath.Join(m.dir, "mlx")}} {
		c := exec.CommandContext(ctx, m.python, append([]string{"-I", script}, args...)...)
		if said, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("make variants of the starter model: %w\n%s", err, said)
		}
	}
	said, err := exec.CommandContext(ctx, m.python, "-I", "-c",
		"import importlib.metadata as m; [print(p, m.version(p)) for p in ('mlx-lm', 'mlx', 'gguf')]").Output()
	if err != nil {
		return fmt.Errorf("versions of the Python packages: %w", err)
	}
	out.Versions = lines(said)
	made, err := filepath.Glob(filepath.Join(folder, "*.gguf"))
	if err != nil {
		return err
	}
	for _, file := range append(made, starter) {
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		out.FileBytes = append(out.FileBytes, fileBytes{modelName(file), info.Size()})
	}
	return nil
}

func (m *measuring) script() string   { return filepath.Join(m.dir, "models.py") }
func (m *measuring) variants() string { return filepath.Join(m.dir, "variants", "models") }

// mlxModel is what the folder is called in requests to the gateway; mlx_lm's server knows one model by its own word.
const (
	mlxModel  = "bench-mlx"
	mlxTarget = "default_model"
)

// startMLX serves the MLX folder with mlx_lm's own server.
func (m *measuring) startMLX(ctx context.Context) (way, error) {
	addr, err := freeAddr()
	if err != nil {
		return way{}, err
	}
	host, port, _ := strings.Cut(addr, ":")
	return m.startRival(ctx, "mlx_lm.server", nil, addr, m.python, "-I", m.script(), "serve", "--model", filepath.Join(m.dir, "mlx"),
		"--host", host, "--port", port)
}

// try runs mlx-benchmark against a server with the trial's settings.
func (m *measuring) try(ctx context.Context, t trial, into *tried, mlx way) error {
	dir, err := os.MkdirTemp(m.dir, "trial-")
	if err != nil {
		return err
	}
	for _, folder := range []string{"runtimes", "models"} {
		if err := linkEntries(m.options.prepared, dir, folder); err != nil {
			return err
		}
	}
	if err := linkEntries(filepath.Dir(m.variants()), dir, "models"); err != nil {
		return err
	}
	s := withRoutes()
	if t.model == mlxModel {
		s = withRoutes(route{Model: mlxModel, URL: mlx.url + "/v1", Target: mlxTarget})
	}
	s.Engines.LlamaCPP.Threads = m.threads
	if t.set != nil {
		t.set(&s.Engines.LlamaCPP)
	}
	if err := writeSettings(dir, s); err != nil {
		return err
	}
	g, err := m.serve(ctx, "mlxbar serve with engine", dir)
	if err != nil {
		return err
	}
	defer m.neighbour(t.neighbour)()
	c, err := m.mlxBenchmark(ctx, dir, t)
	if err != nil {
		return err
	}
	engine := way{name: "engine", child: g.child, wrapped: true} // what is below the server
	if t.model == mlxModel {
		engine = mlx
	}
	u, err := engine.usage(ctx)
	if err != nil {
		return err
	}
	into.Rounds, into.Memory = append(into.Rounds, c), append(into.Memory, u.peak)
	return m.end(g.child)
}

func (m *measuring) mlxBenchmark(ctx context.Context, dir string, t trial) (results.Case, error) {
	file := filepath.Join(dir, "results.json")
	args := append([]string{"run", "--data-dir", dir, "--model", t.model, "--format", "json", "--output", file}, t.args...)
	if said, err := exec.CommandContext(ctx, m.benchmarkProgram(), args...).CombinedOutput(); err != nil {
		return results.Case{}, fmt.Errorf("mlx-benchmark: %w\n%s", err, said)
	}
	f, err := results.Read(file)
	if err != nil {
		return results.Case{}, err
	}
	if len(f.Cases) != 1 || f.Cases[0].Status != results.Measured || f.Cases[0].Failed > 0 {
		return results.Case{}, errors.New("mlx-benchmark did not get an answer to every request")
	}
	c := f.Cases[0]
	c.Samples = nil
	return c, nil
}

// neighbour keeps one processor busy until the function that it gives is called.
func (m *measuring) neighbour(wanted bool) func() {
	if !wanted {
		return func() {}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	return func() { close(stop); <-stopped }
}

// tryDurability loads gateways that differ in nothing but when a record must be on disk.
func (m *measuring) tryDurability(ctx context.Context, out *advice) error {
	up, err := startChild(ctx, "fakeupstream", nil, m.options.fakeUpstream, "--until-stdin")
	if err != nil {
		return err
	}
	m.children = append(m.children, up)
	var ways []way
	kinds := []settings.Durability{settings.Batched, settings.Strict}
	for _, d := range kinds {
		dir := filepath.Join(m.dir, "durability-"+string(d))
		s := withRoutes(route{Model: "*", URL: up.url})
		s.Audit.Durability = d
		if err := writeSettings(dir, s); err != nil {
			return err
		}
		g, err := m.serve(ctx, "mlxbar serve", dir)
		if err != nil {
			return err
		}
		ways = append(ways, way{name: string(d), url: g.url, child: g.child})
	}
	for _, connections := range []int{1, 8, 64} {
		m.progress("advise: durability, %d connections", connections)
		points := pointsFor(ways, connections, "json")
		if err := m.rotate(ctx, ways, points, chatBody("ok-16", false), connections, time.Duration(m.rounds(1, 2))*time.Second); err != nil {
			return err
		}
		for i, d := range kinds {
			out.Durability = append(out.Durability, &durable{Durability: d, Connections: connections, Bouts: points[i].Bouts})
		}
	}
	return nil
}
