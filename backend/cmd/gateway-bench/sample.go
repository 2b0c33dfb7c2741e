package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"mlxbar/backend/bench/results"
	"mlxbar/backend/models"
)

const (
	// sampleTime bounds the suite: a machine on which it takes longer is no quiet one.
	sampleTime = 3 * time.Minute
	// maxSample keeps the file small enough to lie beside the document.
	maxSample = 200_000
)

// suiteSample is what mlx-benchmark wrote and printed of the real engine, as anybody's would.
type suiteSample struct {
	raw   []byte
	file  *results.File
	table string
}

// takeSample has mlx-benchmark's suite measure the starter model on the real engine.
func takeSample(ctx context.Context, m *measuring) (result, error) {
	if err := built(m.benchmarkProgram()); err != nil {
		return nil, err
	}
	dir := filepath.Join(m.dir, "sample")
	for _, folder := range []string{"runtimes", "models"} {
		if err := linkEntries(m.options.prepared, dir, folder); err != nil {
			return nil, err
		}
	}
	set := withRoutes()
	set.Engines.LlamaCPP.Threads = m.threads
	if err := writeSettings(dir, set); err != nil {
		return nil, err
	}
	g, err := m.serve(ctx, "mlxbar serve with engine", dir)
	if err != nil {
		return nil, err
	}
	m.progress("results: mlx-benchmark suite")
	bounded, cancel := context.WithTimeout(ctx, sampleTime)
	defer cancel()
	out := filepath.Join(dir, "results.json")
	c := exec.CommandContext(bounded, m.benchmarkProgram(), "suite", "--data-dir", dir, "--output", out, "--model", models.StarterName,
		"--prompt", "short,medium", "--concurrency", "1,2,4", "--runs", strconv.Itoa(m.rounds(4, 8)), "--max-tokens", strconv.Itoa(m.rounds(16, 48)))
	var table, said strings.Builder
	c.Stdout, c.Stderr = &table, &said
	switch err := c.Run(); {
	case bounded.Err() != nil && ctx.Err() == nil:
		return nil, fmt.Errorf("mlx-benchmark was not done after %v: the machine has other work", sampleTime)
	case err != nil:
		return nil, fmt.Errorf("mlx-benchmark: %w\n%s", err, &said)
	}
	s := &suiteSample{table: table.String()}
	if s.raw, err = os.ReadFile(out); err != nil {
		return nil, err
	}
	if s.file, err = results.Parse(s.raw); err != nil {
		return nil, fmt.Errorf("%s %w", out, err)
	}
	return s, m.end(g.child)
}

func (s *suiteSample) print(w io.Writer) { fmt.Fprintf(w, "\n%s", s.table) }

// rawFile is the file of mlx-benchmark itself, which compare and the page Benchmarks read.
func (s *suiteSample) rawFile() []byte { return s.raw }

func (s *suiteSample) failure() error {
	if len(s.raw) > maxSample {
		return fmt.Errorf("the results are %d bytes, more than %d", len(s.raw), maxSample)
	}
	measured := 0
	for _, c := range s.file.Cases {
		if c.Failed > 0 {
			return fmt.Errorf("%d requests of %s got no answer", c.Failed, c.Route)
		}
		if c.Model == models.StarterName && c.Status == results.Measured {
			measured++
		}
	}
	if measured == 0 || !s.file.Complete {
		return errors.New("the real engine was not measured")
	}
	return nil
}
