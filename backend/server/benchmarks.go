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
	s.onClose(s.startBenchmarkDeletions())
	s.jobs = job.New(job.Config{
		Program: filepath.Join(filepath.Dir(self), benchmarkProgram), DataDir: s.paths.Root, Log: s.log,
		OnChange: func(j job.Job) { s.publish(live.Benchmark, j) },
	})
	s.onClose(func() error { s.jobs.Close(); return nil })
	return nil
}

// startBenchmarkDeletions clears deleted benchmarks away, and returns what ends that.
func (s *Server) startBenchmarkDeletions() func() error {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.benchmarks.RunDeletions(ctx, s.log)
	}()
	return func() error { cancel(); <-ended; return nil }
}
