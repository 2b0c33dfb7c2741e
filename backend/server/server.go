// Package server is the composition root of `mlxbar serve`: it says what starts
// and stops, and in which order, and hands every part what it needs.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"mlxbar/backend/access"
	"mlxbar/backend/activity"
	"mlxbar/backend/admin"
	"mlxbar/backend/audit"
	"mlxbar/backend/awake"
	"mlxbar/backend/bench/archive"
	"mlxbar/backend/bench/job"
	"mlxbar/backend/credentials"
	"mlxbar/backend/datadir"
	"mlxbar/backend/download"
	"mlxbar/backend/engine"
	"mlxbar/backend/gateway"
	"mlxbar/backend/gateway/httpserver"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/routing"
	"mlxbar/backend/hub"
	"mlxbar/backend/live"
	"mlxbar/backend/models"
	"mlxbar/backend/nearby"
	"mlxbar/backend/prices"
	"mlxbar/backend/settings"
	"mlxbar/backend/storage"
	"mlxbar/backend/telemetry"
	"mlxbar/backend/telemetry/instruments"
)

// Version is set by the build.
var Version = "0.1.0-dev"

const (
	// drainTime is how long running requests may go on after a stop; cancelTime
	// is what they have to end once they are cancelled.
	drainTime  = 30 * time.Second
	cancelTime = 5 * time.Second
	drainPoll  = 10 * time.Millisecond
	// closeTime bounds the end of everything behind the listener.
	closeTime = 10 * time.Second
)

// Options are what the command line says.
type Options struct {
	DataDir  string // absolute
	Addr     string // "" takes the settings'
	LogLevel slog.Level
	// LogToStderr writes the log to Stderr too; the log file has it always.
	LogToStderr bool
	// NoLoginLink keeps the link that logs in out of Stdout, for who has that in a file.
	NoLoginLink    bool
	Stdout, Stderr io.Writer
	// Getenv is where telemetry finds its destination; nil is telemetry.Environment.
	Getenv func(string) string
	// DrainTime is for tests; 0 is the usual 30 s.
	DrainTime time.Duration
}

// Server is one running server.
type Server struct {
	opts  Options
	paths datadir.Paths
	log   *slog.Logger
	token string

	telemetry   *telemetry.Telemetry
	instruments *instruments.Set

	settings    *settings.Manager
	prices      *prices.Book
	db          *storage.DB
	recorder    *audit.Recorder
	records     *audit.Store
	keys        *access.Guard
	credentials *credentials.Store
	hub         *live.Hub
	library     *models.Library
	models      *models.Catalog
	trash       *models.Trash
	pool        *engine.Pool
	awake       *awake.Keeper
	requests    *activity.Requests

	hfHub     *hub.Client
	downloads *download.Manager
	underway  underway

	benchmarks *archive.Archive
	jobs       *job.Runner

	gateway *gateway.Gateway
	admin   *admin.API
	front   *httpserver.Server
	place   place
	serves  sync.WaitGroup // of serveOn
	failed  chan error     // why a listener ended that should not have

	startedAt time.Time
	serving   atomic.Bool // start has ended
	draining  atomic.Bool
	stop      chan struct{} // closed by the first Shutdown
	stopOnce  sync.Once
	closers   []func() error
}

// Run starts a server, says so on Stdout, and serves until ctx ends or someone
// asks it to shut down; then it drains. Whatever happens, all that was started
// has ended when Run returns.
func Run(ctx context.Context, opts Options) (err error) {
	s := &Server{opts: opts, paths: datadir.At(opts.DataDir), stop: make(chan struct{}), failed: make(chan error, 1)}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.start(ctx); err != nil {
		return err
	}
	return s.serve(ctx)
}

// Shutdown begins to drain; it does not wait.
func (s *Server) Shutdown() { s.stopOnce.Do(func() { close(s.stop) }) }

// start brings the parts up, each with what ends it.
func (s *Server) start(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		s.openData, s.openSettings, s.openPrices, s.openTelemetry, s.listen, s.openAudit, s.openKeys, s.openCredentials, s.openEngines, s.openDownloads, s.openBenchmarks, s.openHTTP, s.announce,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// onClose adds what ends a part; parts end in the opposite order of their start.
func (s *Server) onClose(f func() error) { s.closers = append(s.closers, f) }

func (s *Server) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	return errors.Join(errs...)
}

func (s *Server) openHTTP(context.Context) error {
	s.requests = activity.NewRequests()
	router := routing.NewRouter()
	s.gateway = gateway.New(gateway.Config{
		Settings: s.settings.Current, Engines: s.pool, Library: runnable{s.models, s.runners()},
		Audit: s.recorder, Requests: s.requests, Router: router, Prices: s.prices.Current, Instruments: s.instruments, Logger: s.log, Version: Version,
		Credentials: s.credentials, Keys: s.keys, Exposed: s.place.exposed.Load, Owner: func(r *http.Request) bool { return s.admin.Authorized(r) },
	})
	s.onClose(func() error { s.gateway.Close(); return nil })

	mux := problem.NewMux()
	s.gateway.Register(mux)
	s.admin = admin.Register(mux, admin.Config{
		Token: s.token, Version: Version, Settings: s.settings, Recorder: s.recorder, Records: s.records, Prices: s.prices, Engines: s.runners(),
		Library: s.models, Trash: s.trash, Router: router, Keys: s.keys, Credentials: s.credentials, Providers: s.gateway, Neighbours: nearby.Usual, Requests: s.requests, Live: s.hub, Benchmarks: s.benchmarks, Jobs: s.jobs, Checker: s.checker(), Hub: s.hfHub, HubToken: hub.Tokens{}, Downloads: s.downloads, Status: s.status, Shutdown: s.Shutdown, Logger: s.log,
	})
	registerPages(mux)
	if err := s.registerMetrics(mux); err != nil {
		return err
	}
	s.front = &httpserver.Server{Takes: gateway.RunsModels, Refusal: gateway.Refusal, HTTP: &http.Server{
		Handler:                      s.seeOff(gateway.Guard(mux, s.settings.Current, s.log)),
		ReadHeaderTimeout:            10 * time.Second,
		IdleTimeout:                  2 * time.Minute,
		MaxHeaderBytes:               64 << 10,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}}
	return nil
}

// serve answers until it is told to stop, then drains.
func (s *Server) serve(ctx context.Context) error {
	base, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	s.front.HTTP.BaseContext = func(net.Listener) context.Context { return base }
	s.serving.Store(true)
	stay := sync.OnceValue(s.followAddr()) // before anyone can change the settings
	s.onClose(stay)
	s.serveOn(s.place.now())
	// Edits of the files, those made since they were read included, now that all who follow them are there.
	s.onClose(background(s.settings.Watch))
	s.onClose(background(s.prices.Watch))
	s.onClose(background(s.followModels))

	s.log.Info("ready", "addr", s.addr(), "version", Version, "data_dir", s.paths.Root)
	fmt.Fprintf(s.opts.Stdout, "mlxbar %s ready on %s\n", Version, s.url())
	if s.place.exposed.Load() {
		fmt.Fprintf(s.opts.Stdout, "other machines can reach it at %s; requests need an API key (mlxbar keys create NAME)\n", s.addr())
	}
	if !s.opts.NoLoginLink {
		fmt.Fprintf(s.opts.Stdout, "log in at %s\n", s.admin.LoginLink())
	}
	s.pool.Preload(toPreload(s.settings.Current()))
	settleMemory()

	select {
	case err := <-s.failed:
		return err
	case <-ctx.Done():
	case <-s.stop:
	}
	moved := stay() // who ends goes nowhere; nothing is added to serves from here on
	err := s.drain(cancel)
	s.serves.Wait() // no goroutine of them is left
	return errors.Join(moved, err)
}

// drain takes no new requests, lets the running ones finish, and cancels those that take
// too long. Live listeners hear how each ends before their streams do.
func (s *Server) drain(cut context.CancelCauseFunc) error {
	s.draining.Store(true)
	s.log.Info("draining", "in_flight", s.gateway.InFlight())
	s.publishState()
	s.jobs.Close() // while its program can still send what it measured
	patience := s.opts.DrainTime
	if patience == 0 {
		patience = drainTime
	}
	ctx, done := context.WithTimeout(context.Background(), patience)
	defer done()
	stopped, ended := make(chan struct{}), make(chan error, 1)
	// Runs once no new connection is taken, and again with another Shutdown.
	s.front.HTTP.RegisterOnShutdown(sync.OnceFunc(func() { close(stopped) }))
	go func() { ended <- s.front.Shutdown(ctx) }()
	<-stopped
	reason := problem.New(problem.ShuttingDown, "The server is stopping and did not wait longer for this request.")
	if !s.idle(ctx) {
		s.log.Warn("requests are cut short", "in_flight", s.gateway.InFlight())
		cut(reason)
		grace, done := context.WithTimeout(context.Background(), cancelTime)
		s.idle(grace)
		done()
	}
	s.hub.Close()
	if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	cut(reason) // what else there is, such as an export
	ctx, done = context.WithTimeout(context.Background(), cancelTime)
	defer done()
	if err := s.front.Shutdown(ctx); err != nil {
		return s.front.Close()
	}
	return nil
}

// idle waits until no inference request runs; false if ctx ends first.
func (s *Server) idle(ctx context.Context) bool {
	tick := time.NewTicker(drainPoll)
	defer tick.Stop()
	for s.gateway.InFlight() > 0 {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
	return true
}
