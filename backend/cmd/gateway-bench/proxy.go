package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"

	"mlxbar/backend/cpuprofile"
)

// proxyCommand is the argument that makes this program a bare reverse proxy.
const proxyCommand = "reverse-proxy"

// serveProxy is what Go gives for nothing: httputil.ReverseProxy and no more. Its
// transport keeps as many idle connections as the gateway's does; with Go's default
// of two it would spend its time on dialling, and the comparison would flatter us.
func serveProxy(ctx context.Context, upstream string, stdout io.Writer, stdin io.Reader) (err error) {
	stop, err := cpuprofile.Start(os.Getenv(cpuprofile.Env))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	target, err := url.Parse(upstream)
	if err != nil {
		return fmt.Errorf("reverse proxy: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("reverse proxy: %w", err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: &http.Transport{MaxIdleConns: 512, MaxIdleConnsPerHost: 256, IdleConnTimeout: 90 * time.Second, DisableCompression: true},
	}
	// Without full duplex the server takes the request's body away at the first byte of
	// the answer, and an upstream that answers before the transport has seen the body's
	// end gets its connection closed in mid-stream: a few requests in ten thousand.
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		proxy.ServeHTTP(w, r)
	})
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	closed := make(chan struct{})
	go func() { io.Copy(io.Discard, stdin); close(closed) }() // the process ends with whoever started it
	fmt.Fprintf(stdout, "ready on http://%s\n", listener.Addr())
	select {
	case <-ctx.Done():
	case <-closed:
	case err := <-served:
		return fmt.Errorf("reverse proxy: %w", err)
	}
	if err := server.Close(); err != nil {
		return fmt.Errorf("reverse proxy: %w", err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("reverse proxy: %w", err)
	}
	return nil
}
