package server

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/settings"
	"mlxbar/backend/telemetry"
	"mlxbar/backend/telemetry/instruments"
)

const (
	// telemetryTime is how long the end waits for a collector to take what is left.
	telemetryTime = 3 * time.Second
	// maxScrapes is how many may read the metrics at once; others wait for them.
	maxScrapes = 4
)

// openTelemetry begins to tell of the server, before there is anything to tell. What is wrong
// with where to stops the start: someone who asked for it is to know.
func (s *Server) openTelemetry(ctx context.Context) error {
	set := s.settings.Current().Telemetry
	local := s.log
	t, err := telemetry.Start(ctx, telemetry.Config{
		Service: set.ServiceName, Version: Version, Getenv: s.environment(ctx, set), Log: local, Pull: true,
	})
	if err != nil {
		return err
	}
	s.onClose(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), telemetryTime)
		defer cancel()
		if err := t.Shutdown(ctx); err != nil { // no reason for the server to fail
			local.Warn("telemetry was not delivered to its end", "cause", err)
		}
		return nil
	})
	s.telemetry = t
	if s.instruments, err = instruments.New(t.Tracer(), t.Meter()); err != nil {
		return err
	}
	s.log = slog.New(t.Handler(local.Handler()))
	if to := t.Destinations(); len(to) > 0 {
		s.log.Info("telemetry is sent", "to", to)
	}
	return nil
}

// environment are the variables, and what the keychain and the settings say where they say nothing.
func (s *Server) environment(ctx context.Context, set settings.Telemetry) func(string) string {
	get := s.opts.Getenv
	if get == nil {
		get = telemetry.Environment(ctx, s.log)
	}
	return func(name string) string {
		value := get(name)
		if value == "" && name == "OTEL_EXPORTER_OTLP_ENDPOINT" {
			return set.OTLPEndpoint
		}
		return value
	}
}

// registerMetrics adds what Prometheus reads. On this machine it needs no token, as it tells no more than how
// much is done; others must not know that, nor which models there are.
func (s *Server) registerMetrics(mux problem.Mux) error {
	place := make(chan struct{}, maxScrapes)
	mux.HandleFunc("GET /metrics", s.admin.FromHere(func(w http.ResponseWriter, r *http.Request) {
		select {
		case place <- struct{}{}:
			defer func() { <-place }()
			s.telemetry.Metrics().ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	}))
	return s.instruments.Observe(instruments.Sources{
		InFlight: s.gateway.InFlight, Waiting: s.gateway.Waiting, Engines: s.pool.States, Backlog: s.recorder.Backlog,
		MemoryLimit: func() int64 { return s.pool.Memory().LimitBytes }, StartedAt: processStart(),
	})
}
