package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"

	"mlxbar/backend/activity"
	"mlxbar/backend/audit"
	"mlxbar/backend/credentials"
	inference "mlxbar/backend/gateway"
	"mlxbar/backend/gateway/httpserver"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/settings"
	"mlxbar/backend/storage"
)

// allocationsCommand counts what forwarding an event takes of memory, in a process that
// has the gateway in it and nothing else.
const allocationsCommand = "allocations"

// Two streams that differ in their length alone. Their tokens come one by one, as a model's do:
// what comes together is flushed together, and costs less.
const (
	shortStream = 100
	longStream  = 1100
)

// allocations asks the command.
func (b *benchmark) allocations(ctx context.Context) error {
	b.progress("allocations per event")
	self, err := os.Executable()
	if err != nil {
		return err
	}
	out := filepath.Join(b.dir, "allocations.json")
	if _, _, err := timed(ctx, out, self, allocationsCommand, b.urls[direct]+"/v1", filepath.Join(b.dir, "allocations.db")); err != nil {
		return err
	}
	raw, err := os.ReadFile(out)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, &b.report.EventAllocations)
}

func runAllocations(ctx context.Context, upstream, database string, stdout io.Writer) (err error) {
	db, err := storage.Open(ctx, database, storage.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	recorder, err := audit.NewRecorder(ctx, db, audit.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, recorder.Close(ctx)) }()
	addr, stop, err := serveGateway(upstream, recorder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	var counts []float64 // of each pair of streams
	for range 4 {
		few, err := streamAllocations(conn, shortStream)
		if err != nil {
			return err
		}
		many, err := streamAllocations(conn, longStream)
		if err != nil {
			return err
		}
		counts = append(counts, float64(int64(many)-int64(few))/(longStream-shortStream))
	}
	return json.NewEncoder(stdout).Encode(counts[1:]) // the first made what is kept
}

// serveGateway is the gateway behind net/http's server, as `mlxbar serve` has it.
func serveGateway(upstream string, recorder *audit.Recorder) (addr string, stop func() error, err error) {
	s := settings.Defaults()
	s.Providers = []settings.Provider{{Name: "bench", Kind: settings.KindOpenAI, BaseURL: upstream}}
	s.Routes = []settings.Route{{Model: "*", Targets: []settings.Target{{Provider: "bench"}}}}
	current := func() settings.Settings { return s }
	log := slog.New(slog.DiscardHandler)
	keys := credentials.New(nil, os.Getenv)
	g := inference.New(inference.Config{Settings: current, Audit: recorder, Requests: activity.NewRequests(), Credentials: keys, Logger: log})
	mux := problem.NewMux()
	g.Register(mux)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		keys.Close()
		return "", nil, err
	}
	server := &httpserver.Server{HTTP: &http.Server{Handler: inference.Guard(mux, current, log)}, Takes: inference.RunsModels}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	return listener.Addr().String(), func() error {
		err := server.Close()
		if e := <-served; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
		g.Close()
		keys.Close()
		return err
	}, nil
}

// streamAllocations asks for a stream and counts the allocations of the whole process until
// its end. Reading it takes none.
func streamAllocations(conn net.Conn, tokens int) (uint64, error) {
	body := fmt.Sprintf(`{"model":"ok-%d=1ms","stream":true,"messages":[{"role":"user","content":"hello"}]}`, tokens)
	request := fmt.Appendf(nil, "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := conn.Write(request); err != nil {
		return 0, err
	}
	var buf [16 << 10]byte
	have, ended := 0, []byte("\r\n0\r\n\r\n")
	for have < len(ended) || !bytes.HasSuffix(buf[:have], ended) {
		if have > len(buf)/2 { // the end of it is enough
			have = copy(buf[:], buf[have-len(ended):have])
		}
		n, err := conn.Read(buf[have:])
		if err != nil {
			return 0, fmt.Errorf("a stream of %d tokens: %w", tokens, err)
		}
		if have == 0 && !bytes.HasPrefix(buf[:n], []byte("HTTP/1.1 200")) {
			return 0, fmt.Errorf("a stream of %d tokens: %.300s", tokens, buf[:n])
		}
		have += n
	}
	runtime.ReadMemStats(&after)
	return after.Mallocs - before.Mallocs, nil
}
