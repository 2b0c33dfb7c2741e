package main

import (
	"context"
	"path/filepath"
	"strconv"
	"time"

	"mlxbar/backend/bench"
)

// readiness is milliseconds from the start of the process to its ready line.
type readiness struct {
	Fresh    []float64 `json:"fresh_ms"`    // the data folder did not exist
	Existing []float64 `json:"existing_ms"` // it did
}

func (r readiness) worst() float64 {
	return max(bench.Summarize(r.Fresh).Max, bench.Summarize(r.Existing).Max)
}

// readyTimes starts and stops the server over and over.
func (b *benchmark) readyTimes(ctx context.Context) error {
	b.progress("time to ready: %d starts", 2*b.options.Starts)
	start := func(dir string) (float64, error) {
		g, err := b.serve(ctx, "mlxbar serve", dir)
		if err != nil {
			return 0, err
		}
		return float64(g.ready) / float64(time.Millisecond), g.stop()
	}
	existing := filepath.Join(b.dir, "existing")
	if _, err := start(existing); err != nil { // also brings the program into the system's cache
		return err
	}
	for i := range b.options.Starts {
		fresh, err := start(filepath.Join(b.dir, "fresh"+strconv.Itoa(i)))
		if err != nil {
			return err
		}
		again, err := start(existing)
		if err != nil {
			return err
		}
		b.report.Ready.Fresh = append(b.report.Ready.Fresh, fresh)
		b.report.Ready.Existing = append(b.report.Ready.Existing, again)
	}
	return nil
}
