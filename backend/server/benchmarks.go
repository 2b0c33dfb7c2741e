package server

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"mlxbar/backend/bench/archive"
	"mlxbar/backend/bench/job"
	"mlxbar/backend/live"
)

// benchmarkProgram measures a server from outside. It lies beside this one.
const benchmarkProgram = "mlx-benchmark"

func (s *Server) openBenchmarks(context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	if real, err := filepath.EvalSymlinks(self); err == nil {
		self = real
	}
	s.benchmarks = archive.New(s.db)
	s.onClose(background(func(ctx context.Context) { s.benchmarks.RunDeletions(ctx, s.log) }))
	s.jobs = job.New(job.Config{
		Program: filepath.Join(filepath.Dir(self), benchmarkProgram), DataDir: s.paths.Root, Log: s.log,
		OnChange: func(j job.Job) { s.publish(live.Benchmark, j) },
	})
	s.onClose(func() error { s.jobs.Close(); return nil })
	return nil
}
