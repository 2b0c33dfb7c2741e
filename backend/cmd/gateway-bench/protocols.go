package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// protocolsRun is nil where it was not measured, as are its parts. It is what it costs to be one address for all: conversions between protocols, streams
// held open in great number, and targets that are left alone.
type protocolsRun struct {
	Conversion *conversionRun `json:"conversion"`
	Streams    *streamsRun    `json:"streams"`
	Circuit    *circuitRun    `json:"circuit"`
	Targets    []target       `json:"targets"`
}

// protocolsPlan says how long that is measured.
type protocolsPlan struct {
	Rounds  int           `json:"rounds"`
	Bout    time.Duration `json:"bout_ns"`
	Streams int           `json:"streams"`
	Events  int           `json:"events"` // of one slow stream
	Pause   time.Duration `json:"pause_ns"`
	Topic   string        `json:"topic"` // words for what alone is measured; "" for all
}

func planOf(quick bool) protocolsPlan {
	p := protocolsPlan{Rounds: 7, Bout: time.Second, Streams: 1000, Events: 40, Pause: 500 * time.Millisecond}
	if quick {
		p.Rounds, p.Events = 2, 16
	}
	return p
}

// measureProtocols is the part with a command of its own.
func measureProtocols(ctx context.Context, m *measuring) (result, error) {
	if err := m.startUpstream(ctx); err != nil {
		return nil, err
	}
	p := planOf(m.quick)
	p.Topic = m.topic
	run, err := m.protocols(ctx, p)
	if err != nil {
		return nil, err
	}
	run.judge(func(name, wanted, measured string, ok bool) {
		run.Targets = append(run.Targets, target{name, wanted, measured, ok})
	})
	return run, nil
}

// protocols measures all of it, or what the plan names, against the upstream that runs.
func (b *benchmark) protocols(ctx context.Context, p protocolsPlan) (*protocolsRun, error) {
	run := &protocolsRun{}
	for _, topic := range []struct {
		name    string
		measure func() error
	}{
		{"conversion", func() (err error) { run.Conversion, err = b.conversion(ctx, p); return err }},
		{"streams", func() (err error) { run.Streams, err = b.slowStreams(ctx, p); return err }},
		{"circuit", func() (err error) { run.Circuit, err = b.openCircuit(ctx, p); return err }},
	} {
		if p.Topic != "" && !strings.Contains(","+p.Topic+",", ","+topic.name+",") {
			continue
		}
		if err := topic.measure(); err != nil {
			return nil, fmt.Errorf("%s: %w", topic.name, err)
		}
	}
	return run, nil
}

func (r *protocolsRun) failure() error {
	if r.Conversion == nil && r.Streams == nil && r.Circuit == nil {
		return errors.New("nothing was measured; the topics are conversion, streams and circuit")
	}
	return nil
}

func (r *protocolsRun) judge(aim func(name, wanted, measured string, ok bool)) {
	if r == nil {
		return
	}
	r.Conversion.judge(aim)
	r.Streams.judge(aim)
	r.Circuit.judge(aim)
}

// print leaves out the targets when the report has them among its own.
func (r *protocolsRun) print(w io.Writer) {
	if r == nil {
		return
	}
	r.Conversion.print(w)
	r.Streams.print(w)
	r.Circuit.print(w)
	if len(r.Targets) > 0 {
		printTargets(w, r.Targets)
	}
}
