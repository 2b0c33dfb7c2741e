package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"mlxbar/backend/bench"
	"mlxbar/backend/datadir"
	"mlxbar/backend/engine"
	"mlxbar/backend/engine/llamacpp"
	"mlxbar/backend/models"
)

// The ways to the same model: the engine's child asked directly, that child as
// a provider of the gateway, and the gateway's own child.
const (
	alone = iota
	provided
	local
	nEngines
)

// engineRun is the engine's speed from a client's view.
type engineRun struct {
	Model  string                   `json:"model"`
	Rounds [nEngines][]bench.Answer `json:"rounds"` // alone, through the gateway, the gateway's own
	// SameText says that all answers were the same, which temperature 0 asks for.
	SameText bool `json:"same_text"`
}

func (e *engineRun) tokensPerSecond(way int) []float64 {
	var out []float64
	for _, r := range e.Rounds[way] {
		out = append(out, r.TokensPerSecond())
	}
	return out
}

func (e *engineRun) firstMS(way int) []float64 {
	var out []float64
	for _, r := range e.Rounds[way] {
		out = append(out, float64(r.First)/float64(time.Millisecond))
	}
	return out
}

const (
	keyEnv        = "MLXBAR_BENCH_ENGINE_KEY"
	providerModel = "bench-through-provider"
)

// engineSpeed measures the real engine.
func (b *benchmark) engineSpeed(ctx context.Context) (err error) {
	b.progress("engine: starting")
	w, err := b.startEngine(ctx, "engine", 4)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := w.close(ctx); err == nil {
			err = cerr
		}
	}()
	asks := [nEngines]bench.Ask{
		alone:    {BaseURL: w.lease.BaseURL + "/v1", Key: w.lease.APIKey, Body: b.question(models.StarterName)},
		provided: {BaseURL: w.gateway.url + "/v1", Body: b.question(providerModel)},
		local:    {BaseURL: w.gateway.url + "/v1", Body: b.question(models.StarterName)},
	}
	if err := b.engineRounds(ctx, asks); err != nil {
		return err
	}
	return b.engineLedger(ctx, w.gateway)
}

// engineWays is an engine that can be asked directly, and a gateway that has it as a provider.
type engineWays struct {
	pool    *engine.Pool
	lease   *engine.Lease
	gateway *gateway
}

// startEngine loads the starter model into an engine that answers so many at once, and starts a gateway beside it.
func (b *benchmark) startEngine(ctx context.Context, name string, parallel int) (w engineWays, err error) {
	dir := filepath.Join(b.dir, name)
	for _, folder := range []string{"runtimes", "models"} {
		for _, data := range []string{dir, dir + "-serve"} {
			if err := linkEntries(b.options.prepared, data, folder); err != nil {
				return w, err
			}
		}
	}
	w.pool = engine.NewPool(engine.Config{
		Library: models.NewLibrary(datadir.At(dir).Models),
		Engines: map[models.Format]engine.Engine{models.GGUF: llamacpp.New(dir, func(string) (llamacpp.Options, error) { return llamacpp.Options{Parallel: parallel}, nil })},
		LogDir:  datadir.At(dir).Logs,
		Logger:  slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close(ctx))
		}
	}()
	if w.lease, err = w.pool.Acquire(ctx, models.StarterName); err != nil {
		return w, fmt.Errorf("the engine: %w", err)
	}
	if err := dataFolder(dir+"-serve", route{Model: providerModel, URL: w.lease.BaseURL + "/v1", Target: models.StarterName, KeyEnv: keyEnv}); err != nil {
		return w, err
	}
	w.gateway, err = b.serve(ctx, "mlxbar serve with engine", dir+"-serve", keyEnv+"="+w.lease.APIKey)
	return w, err
}

// close ends the engine; the gateway ends with the run.
func (w engineWays) close(ctx context.Context) error {
	if w.lease != nil {
		w.lease.Release()
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return w.pool.Close(closing)
}

func (b *benchmark) question(model string) string {
	return fmt.Sprintf(`{"model":%q,"stream":true,"stream_options":{"include_usage":true},"temperature":0,"seed":1,"max_tokens":%d,"ignore_eos":true,`+
		`"messages":[{"role":"user","content":"Write a long story about a lighthouse keeper."}]}`, model, b.options.EngineTokens)
}

func (b *benchmark) engineRounds(ctx context.Context, asks [nEngines]bench.Ask) error {
	// A new connection for each: llama.cpp closes one that was idle for five seconds,
	// about what a round takes, and a request sent into that is lost.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	run := &engineRun{Model: models.StarterName, SameText: true}
	b.report.Engine = run
	var first *[sha256.Size]byte
	for round := -1; round < b.options.EngineRounds; round++ { // the first one loads the models and does not count
		if round >= 0 {
			b.progress("engine: round %d of %d", round+1, b.options.EngineRounds)
		}
		for i := range nEngines {
			way := i
			if round%2 != 0 {
				way = nEngines - 1 - i
			}
			r, err := bench.Stream(ctx, client, asks[way])
			if err != nil {
				return fmt.Errorf("engine: %w", err)
			}
			if round < 0 {
				continue
			}
			if r.Tokens != b.options.EngineTokens {
				return fmt.Errorf("engine: an answer of %d tokens, asked for %d", r.Tokens, b.options.EngineTokens)
			}
			text := sha256.Sum256([]byte(r.Text))
			if first == nil {
				first = &text
			}
			run.SameText = run.SameText && text == *first
			run.Rounds[way] = append(run.Rounds[way], r)
		}
	}
	return nil
}

// engineLedger holds that the engine's requests are recorded too.
func (b *benchmark) engineLedger(ctx context.Context, g *gateway) error {
	rows, err := g.rows(ctx)
	if err != nil {
		return err
	}
	n := int64(2 * (b.options.EngineRounds + 1))
	b.report.Audit.Engine = &bench.Ledger{Completed: n, Upstream: n, Rows: rows}
	return g.stop()
}
