package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/shirou/gopsutil/v4/process"

	"mlxbar/backend/bench"
	"mlxbar/backend/engine"
	"mlxbar/backend/models"
)

// besideRun is a stream of one model while another one is loaded.
type besideRun struct {
	QuietMS  []float64 `json:"quiet_ms"`  // between one token and the next, with nothing else at work
	DuringMS []float64 `json:"during_ms"` // meanwhile
	LoadMS   []float64 `json:"load_ms"`   // of the second model
}

// switchRun is one model that has to go for another one: from the request to unload it to the other's first token.
type switchRun struct {
	TookMS   []float64 `json:"took_ms"`
	UnloadMS []float64 `json:"unload_ms"` // of that, until the first one was gone
}

// turnoverRun is a server that loads, asks and unloads a model over and over.
type turnoverRun struct {
	Empty  []held `json:"empty"`  // after each round, nothing loaded
	Loaded []held `json:"loaded"` // in each round, after the first answer
}

// held is what a server holds at a moment.
type held struct {
	ServerBytes  uint64 `json:"server_bytes"`  // resident, of the server alone
	EnginesBytes uint64 `json:"engines_bytes"` // of all processes below it
	Engines      int    `json:"engines"`       // those processes
	Files        int    `json:"files"`         // open in the server
}

// other is the same file under another name: a model of its own.
const other = "bench-other"

// severalModels measures a server of its own with two models.
func (m *measuring) severalModels(ctx context.Context, run *enginesRun) error {
	m.progress("engines: two models")
	dir := filepath.Join(m.dir, "several")
	for _, folder := range []string{"runtimes", "models"} {
		if err := linkEntries(m.options.prepared, dir, folder); err != nil {
			return err
		}
	}
	from, err := filepath.Abs(filepath.Join(m.options.prepared, "models", models.StarterName+".gguf"))
	if err != nil {
		return err
	}
	if err := os.Symlink(from, filepath.Join(dir, "models", other+".gguf")); err != nil {
		return err
	}
	if err := writeSettings(dir, withRoutes()); err != nil {
		return err
	}
	g, err := m.serve(ctx, "mlxbar serve with engine", dir)
	if err != nil {
		return err
	}
	if run.Beside, err = m.beside(ctx, g); err != nil {
		return fmt.Errorf("a load beside a stream: %w", err)
	}
	if run.Switch, err = m.switches(ctx, g); err != nil {
		return fmt.Errorf("switch: %w", err)
	}
	if run.Turnover, err = m.turnover(ctx, g); err != nil {
		return fmt.Errorf("load and unload: %w", err)
	}
	return m.end(g.child)
}

func (m *measuring) beside(ctx context.Context, g *gateway) (*besideRun, error) {
	run := &besideRun{}
	rounds := m.rounds(1, 5)
	for round := range rounds {
		m.progress("engines: a load beside a stream, round %d of %d", round+1, rounds)
		if err := g.firstToken(ctx, models.StarterName); err != nil {
			return nil, err
		}
		begun := time.Now()
		var from, until time.Duration // of the load
		loaded := make(chan error, 1)
		go func() {
			loaded <- func() error {
				time.Sleep(2 * time.Second)
				from = time.Since(begun)
				defer func() { until = time.Since(begun) }()
				return errors.Join(g.change(ctx, other, "load"), g.await(ctx, other, engine.Ready))
			}()
		}()
		answer, err := bench.Stream(ctx, http.DefaultClient, bench.Ask{BaseURL: g.url + "/v1", Body: long(models.StarterName, m.rounds(200, 600))})
		if err := errors.Join(err, <-loaded); err != nil {
			return nil, err
		}
		quiet, during := split(answer, from, until)
		run.QuietMS, run.DuringMS = append(run.QuietMS, quiet...), append(run.DuringMS, during...)
		run.LoadMS = append(run.LoadMS, ms(until-from))
		if err := g.change(ctx, other, "unload"); err != nil {
			return nil, err
		}
	}
	if len(run.QuietMS) == 0 || len(run.DuringMS) == 0 {
		return nil, errors.New("the stream ended before the load began")
	}
	return run, nil
}

// split parts the gaps of a stream into those before a time span and those that reach into it.
func split(a bench.Answer, from, until time.Duration) (before, within []float64) {
	at := a.First
	for _, gap := range a.Gaps {
		begun := at
		at += gap
		switch {
		case at <= from:
			before = append(before, ms(gap))
		case begun < until:
			within = append(within, ms(gap))
		}
	}
	return before, within
}

func (m *measuring) switches(ctx context.Context, g *gateway) (*switchRun, error) {
	run := &switchRun{}
	now, next := models.StarterName, other
	if err := g.firstToken(ctx, now); err != nil {
		return nil, err
	}
	rounds := m.rounds(2, 10)
	for round := range rounds {
		m.progress("engines: switch, round %d of %d", round+1, rounds)
		begun := time.Now()
		if err := g.change(ctx, now, "unload"); err != nil {
			return nil, err
		}
		unloaded := time.Since(begun)
		if err := g.firstToken(ctx, next); err != nil {
			return nil, err
		}
		run.TookMS, run.UnloadMS = append(run.TookMS, ms(time.Since(begun))), append(run.UnloadMS, ms(unloaded))
		now, next = next, now
	}
	return run, g.change(ctx, now, "unload")
}

func (m *measuring) turnover(ctx context.Context, g *gateway) (*turnoverRun, error) {
	run := &turnoverRun{}
	rounds := m.rounds(4, 200)
	for round := range rounds {
		if round%10 == 0 {
			m.progress("engines: load and unload, round %d of %d", round+1, rounds)
		}
		model := []string{models.StarterName, other}[round%2]
		if err := g.firstToken(ctx, model); err != nil {
			return nil, err
		}
		loaded, err := g.held(ctx)
		if err != nil {
			return nil, err
		}
		if err := g.change(ctx, model, "unload"); err != nil {
			return nil, err
		}
		empty, err := g.held(ctx)
		if err != nil {
			return nil, err
		}
		run.Loaded, run.Empty = append(run.Loaded, loaded), append(run.Empty, empty)
	}
	return run, nil
}

// held looks at the server's process and those below it.
func (g *gateway) held(ctx context.Context) (held, error) {
	p, err := process.NewProcessWithContext(ctx, int32(g.cmd.Process.Pid))
	if err != nil {
		return held{}, fmt.Errorf("%s: %w", g.name, err)
	}
	below, err := descendants(ctx, p)
	if err != nil {
		return held{}, fmt.Errorf("%s: %w", g.name, err)
	}
	files, err := p.NumFDsWithContext(ctx)
	if err != nil {
		return held{}, fmt.Errorf("open files of %s: %w", g.name, err)
	}
	return held{ServerBytes: sumUsage(ctx, []*process.Process{p}).now, EnginesBytes: sumUsage(ctx, below).now, Engines: len(below), Files: int(files)}, nil
}

// long is a request for a stream of so many tokens.
func long(model string, tokens int) string {
	return fmt.Sprintf(`{"model":%q,"stream":true,"stream_options":{"include_usage":true},"temperature":0,"max_tokens":%d,"ignore_eos":true,`+
		`"messages":[{"role":"user","content":"Write a long story about a lighthouse keeper."}]}`, model, tokens)
}

// firstToken asks for a single token, and so for a load where the model is not there.
func (g *gateway) firstToken(ctx context.Context, model string) error {
	a, err := bench.Stream(ctx, http.DefaultClient, bench.Ask{BaseURL: g.url + "/v1", Body: long(model, 1)})
	if err == nil && a.Tokens != 1 {
		err = fmt.Errorf("an answer of %d tokens, asked for 1", a.Tokens)
	}
	return err
}
