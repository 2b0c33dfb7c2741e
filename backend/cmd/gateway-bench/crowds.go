package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"mlxbar/backend/bench"
	"mlxbar/backend/models"
)

// enginesRun is what many clients and several models are to the real engines. A part that was not asked for is nil.
type enginesRun struct {
	Crowds   []*crowdRun  `json:"crowds"`
	Beside   *besideRun   `json:"beside"`
	Switch   *switchRun   `json:"switch"`
	Turnover *turnoverRun `json:"turnover"`
	Targets  []target     `json:"targets"`
}

// crowdRun is an engine that so many clients ask at once, directly and through the gateway by turns.
type crowdRun struct {
	Engine  string  `json:"engine"`
	Clients int     `json:"clients"`
	Alone   []crowd `json:"alone"`
	Gateway []crowd `json:"gateway"`
}

// crowd is one bout.
type crowd struct {
	Tokens  int       `json:"tokens"`
	Seconds float64   `json:"seconds"` // from the first request to the last answer's end
	FirstMS []float64 `json:"first_ms"`
}

func (c crowd) speed() float64 { return float64(c.Tokens) / c.Seconds }
func (c crowd) first() float64 { return bench.Median(c.FirstMS) }

func of(crowds []crowd, figure func(crowd) float64) []float64 {
	out := make([]float64, len(crowds))
	for i, c := range crowds {
		out[i] = figure(c)
	}
	return out
}

// measureEngines is the part with a command of its own.
func measureEngines(ctx context.Context, m *measuring) (result, error) {
	run := &enginesRun{}
	for _, topic := range []struct {
		name    string
		measure func() error
	}{
		{"llamacpp", func() error { return m.crowdsOfLlamaCPP(ctx, run) }},
		{"mlx", func() error { return m.crowdsOfMLX(ctx, run) }},
		{"models", func() error { return m.severalModels(ctx, run) }},
	} {
		if m.topic != "" && !strings.Contains(","+m.topic+",", ","+topic.name+",") {
			continue
		}
		if err := topic.measure(); err != nil {
			return nil, fmt.Errorf("%s: %w", topic.name, err)
		}
	}
	run.judge()
	return run, nil
}

// clientsAtOnce are the sizes of the crowds.
var clientsAtOnce = []int{1, 4, 8}

// These are how often crowds of these sizes ask: a bout of some seconds scatters by a twelfth, and what is looked for is a fiftieth. A bout
// of MLX takes 3, 10 and 20 s.
var (
	roundsOfLlamaCPP = map[int]int{1: 80, 4: 50, 8: 70}
	roundsOfMLX      = map[int]int{1: 40, 4: 24, 8: 16}
)

func (m *measuring) crowdsOfLlamaCPP(ctx context.Context, run *enginesRun) (err error) {
	m.progress("engines: starting llama.cpp")
	w, err := m.startEngine(ctx, "crowds", clientsAtOnce[len(clientsAtOnce)-1])
	if err != nil {
		return err
	}
	defer func() {
		if cerr := w.close(ctx); err == nil {
			err = cerr
		}
	}()
	direct := bench.Ask{BaseURL: w.lease.BaseURL + "/v1", Key: w.lease.APIKey}
	through := bench.Ask{BaseURL: w.gateway.url + "/v1"}
	if err := m.crowds(ctx, run, "llama.cpp", 2, roundsOfLlamaCPP, m.rounds(24, 96), [2]bench.Ask{direct, through}, [2]string{models.StarterName, providerModel}); err != nil {
		return err
	}
	return m.end(w.gateway.child)
}

// crowdsOfMLX asks for little, for on a processor MLX is slow.
func (m *measuring) crowdsOfMLX(ctx context.Context, run *enginesRun) error {
	if err := m.makeModels(ctx, &advice{}); err != nil {
		return err
	}
	m.progress("engines: starting mlx_lm.server")
	mlx, err := m.startMLX(ctx)
	if err != nil {
		return err
	}
	dir := filepath.Join(m.dir, "crowds-mlx")
	if err := dataFolder(dir, route{Model: mlxModel, URL: mlx.url + "/v1", Target: mlxTarget}); err != nil {
		return err
	}
	g, err := m.serve(ctx, "mlxbar serve", dir)
	if err != nil {
		return err
	}
	asks := [2]bench.Ask{{BaseURL: mlx.url + "/v1"}, {BaseURL: g.url + "/v1"}}
	if err := m.crowds(ctx, run, "MLX (CPU)", 1, roundsOfMLX, m.rounds(4, 8), asks, [2]string{mlxTarget, mlxModel}); err != nil {
		return err
	}
	return errors.Join(m.end(g.child), m.end(mlx.child))
}

// crowds asks by turns, in so many rounds of a quick run and of a whole one; the one that begins is another one in every round.
func (m *measuring) crowds(ctx context.Context, run *enginesRun, engine string, quick int, whole map[int]int, tokens int, asks [2]bench.Ask, names [2]string) error {
	for _, clients := range clientsAtOnce {
		rounds := m.rounds(quick, whole[clients])
		c := &crowdRun{Engine: engine, Clients: clients}
		run.Crowds = append(run.Crowds, c)
		for round := -1; round < rounds; round++ { // the first is to warm up
			m.progress("engines: %s, %d at once, round %d of %d", engine, clients, round+1, rounds)
			for i := range asks {
				way := (i + round + 2) % 2
				got, err := m.ask(ctx, asks[way], names[way], clients, tokens, fmt.Sprint(engine, clients, round, way))
				if err != nil {
					return err
				}
				switch {
				case round < 0:
				case way == 0:
					c.Alone = append(c.Alone, got)
				default:
					c.Gateway = append(c.Gateway, got)
				}
			}
		}
	}
	return nil
}

// ask has so many clients begin together, each with a prompt that nobody had before.
func (m *measuring) ask(ctx context.Context, a bench.Ask, model string, clients, tokens int, mark string) (crowd, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answers, errs := make([]bench.Answer, clients), make([]error, clients)
	done := make(chan struct{})
	begun := time.Now()
	for i := range clients {
		one := a
		one.Body = fmt.Sprintf(`{"model":%q,"stream":true,"stream_options":{"include_usage":true},"temperature":0,"max_tokens":%d,"ignore_eos":true,`+
			`"messages":[{"role":"user","content":"%s %d: write a long story about a lighthouse keeper."}]}`, model, tokens, mark, i)
		go func() {
			answers[i], errs[i] = bench.Stream(ctx, client, one)
			done <- struct{}{}
		}()
	}
	for range clients {
		<-done
	}
	c := crowd{Seconds: time.Since(begun).Seconds()}
	if err := errors.Join(errs...); err != nil {
		return c, fmt.Errorf("%s, %d at once: %w", model, clients, err)
	}
	for _, answer := range answers {
		c.Tokens += answer.Tokens
		c.FirstMS = append(c.FirstMS, ms(answer.First))
	}
	if c.Tokens == 0 {
		return c, fmt.Errorf("%s, %d at once: answers without a token", model, clients)
	}
	return c, nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
