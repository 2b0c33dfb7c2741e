package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/pprof/profile"

	"mlxbar/backend/cpuprofile"
)

// hotspots is where processor time goes under load, by way and shape.
type hotspots struct {
	Connections int         `json:"connections"`
	Spent       []*spending `json:"spent"`
}

// spending is one way's processor time on requests of one shape.
type spending struct {
	Way      string             `json:"way"`
	Shape    string             `json:"shape"`
	Requests int64              `json:"requests"`
	Seconds  float64            `json:"seconds"` // sampled
	ByGroup  map[string]float64 `json:"seconds_by_group"`
}

// profileLoad runs gateway and bare proxy under load, each with a profile that it writes at its end.
func profileLoad(ctx context.Context, m *measuring) (result, error) {
	if err := m.start(ctx); err != nil { // for the upstream; gateway and proxy stay idle
		return nil, err
	}
	if err := dataFolder(filepath.Join(m.dir, "profiled"), route{Model: "*", URL: m.urls[direct] + "/v1"}); err != nil {
		return nil, err
	}
	out := &hotspots{Connections: sweptConnections}
	for _, shape := range []string{"json", "sse"} {
		for _, name := range []string{wayGateway, wayProxy} {
			m.progress("profile: %s, %s", name, shape)
			s, err := m.spend(ctx, name, shape)
			if err != nil {
				return nil, err
			}
			out.Spent = append(out.Spent, s)
		}
	}
	return out, nil
}

func (m *measuring) spend(ctx context.Context, name, shape string) (*spending, error) {
	file := filepath.Join(m.dir, name+"-"+shape+".pprof")
	env := cpuprofile.Env + "=" + file
	w, err := m.profiled(ctx, name, env)
	if err != nil {
		return nil, err
	}
	b, err := m.put(ctx, w, chatBody("ok-16", shape == "sse"), sweptConnections, time.Duration(m.rounds(3, 8))*time.Second)
	if err != nil {
		return nil, err
	}
	if err := m.end(w.child); err != nil {
		return nil, err
	}
	s := &spending{Way: name, Shape: shape, Requests: b.Requests}
	return s, s.read(file)
}

// profiled starts a gateway or a proxy that writes a profile.
func (m *measuring) profiled(ctx context.Context, name, env string) (way, error) {
	if name == wayGateway {
		g, err := m.serve(ctx, "mlxbar serve with a profile", filepath.Join(m.dir, "profiled"), env)
		if err != nil {
			return way{}, err
		}
		return way{name: name, url: g.url, child: g.child}, nil
	}
	return m.startProxy(ctx, env)
}

// read adds up a profile's samples.
func (s *spending) read(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("the profile of the %s: %w", s.Way, err)
	}
	defer f.Close()
	p, err := profile.Parse(f)
	if err != nil {
		return fmt.Errorf("the profile of the %s: %w", s.Way, err)
	}
	s.ByGroup = map[string]float64{}
	for _, sample := range p.Sample {
		if len(sample.Value) != 2 { // a count, and nanoseconds
			return errors.New("a profile of the processor has two values a sample")
		}
		seconds := float64(sample.Value[1]) / 1e9
		s.ByGroup[groupOf(functions(sample))] += seconds
		s.Seconds += seconds
	}
	return nil
}

// functions are the names on a sample's stack, the innermost first.
func functions(sample *profile.Sample) (names []string) {
	for _, location := range sample.Location {
		for _, l := range location.Line {
			names = append(names, l.Function.Name)
		}
	}
	return names
}
