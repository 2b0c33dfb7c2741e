package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"mlxbar/backend/gateway/anthropic"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/requestid"
	"mlxbar/backend/loopback"
	"mlxbar/backend/settings"
)

// Guard wraps the whole of the server's routes: every request gets its id, a
// panic becomes an answer, and neither a foreign host nor a foreign page gets in.
func Guard(next http.Handler, current func() settings.Settings, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := requestid.FromHeader(r.Header)
		ids := []string{id}
		w.Header()[requestid.Canonical] = ids
		if strings.HasPrefix(r.URL.Path, anthropic.Messages.Path) {
			w.Header()["Request-Id"] = ids // where Anthropic's SDKs look for it
		}
		r = r.WithContext(requestid.With(r.Context(), id))
		tracked := &trackingWriter{ResponseWriter: w}
		defer recoverPanic(tracked, r, log)

		s := current()
		if err := checkHost(r); err != nil {
			problem.Write(tracked, r, err)
			return
		}
		allowed, err := checkOrigin(r, s.Server.AllowedOrigins)
		if err != nil {
			problem.Write(tracked, r, err)
			return
		}
		if allowed != "" && allowOrigin(tracked, r, allowed) {
			return
		}
		next.ServeHTTP(tracked, r)
	})
}

// trackingWriter knows whether an answer has begun: after that, nothing writes a
// second one.
type trackingWriter struct {
	http.ResponseWriter
	begun bool
}

func (t *trackingWriter) WriteHeader(status int) {
	t.begun = true
	t.ResponseWriter.WriteHeader(status)
}

func (t *trackingWriter) Write(b []byte) (int, error) {
	t.begun = true
	return t.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (t *trackingWriter) Unwrap() http.ResponseWriter { return t.ResponseWriter }

func recoverPanic(w *trackingWriter, r *http.Request, log *slog.Logger) {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler {
		panic(v) // our own way to end a broken stream
	}
	// The panic's value could hold part of a request: only its type is told.
	log.ErrorContext(r.Context(), "panic while serving a request",
		"request_id", requestid.From(r.Context()), "path", r.URL.Path, "panic_type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
	if w.begun {
		panic(http.ErrAbortHandler)
	}
	problem.Write(w, r, problem.New(problem.Internal, "Something went wrong inside mlxbar; its log has the cause under this request id."))
}

// checkHost refuses names that are not this machine's own. A page that rebinds
// its DNS name to an address of this machine is found by the name that its requests carry.
func checkHost(r *http.Request) error {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	switch {
	case loopback.Host(host):
		return nil
	case loopback.Reached(r):
		return problem.New(problem.ForeignHost, "The Host header names another machine; use 127.0.0.1 or localhost.")
	case sameIP(host, loopback.LocalIP(r)) || ownName(host):
		return nil
	}
	return problem.New(problem.ForeignHost, "The Host header names another machine; use the address of this one, or its name in the local network.")
}

func sameIP(a, b string) bool {
	one, err := netip.ParseAddr(a)
	other, err2 := netip.ParseAddr(b)
	return err == nil && err2 == nil && one.Unmap().WithZone("") == other.Unmap().WithZone("")
}

// ownName says whether host is what this machine calls itself, in the local network too.
func ownName(host string) bool {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return false
	}
	short, _, _ := strings.Cut(name, ".")
	host = strings.TrimSuffix(host, ".")
	return strings.EqualFold(host, name) || strings.EqualFold(host, short) || strings.EqualFold(host, short+".local")
}

// checkOrigin returns the origin to allow, "" if none was sent or it is the
// server's own page.
func checkOrigin(r *http.Request, allowed []string) (string, error) {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return "", nil
	}
	if u, err := url.Parse(origin); err == nil && u.Scheme == "http" && u.Host == r.Host {
		return "", nil
	}
	if slices.Contains(allowed, origin) {
		return origin, nil
	}
	return "", problem.New(problem.ForeignOrigin, "Pages of this origin may not ask; list it in server.allowed_origins to allow it.")
}

// allowOrigin adds the CORS headers; true when r was a preflight and is answered.
func allowOrigin(w http.ResponseWriter, r *http.Request, origin string) bool {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Add("Vary", "Origin")
	h.Set("Access-Control-Expose-Headers", requestid.Header+", Retry-After")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
	// Whatever the page asks for: a person trusts its origin, and SDKs send a dozen of their own.
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		h.Set("Access-Control-Allow-Headers", asked)
	}
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// logFailure logs a failure once: what a client got wrong at debug level, what is
// ours or an upstream's louder.
func logFailure(log *slog.Logger, r *http.Request, e *problem.Error) {
	level := slog.LevelWarn
	switch status := e.Status(); {
	case e.Kind == problem.Internal:
		level = slog.LevelError
	case status < 500:
		level = slog.LevelDebug
	}
	ctx := context.WithoutCancel(r.Context())
	if !log.Enabled(ctx, level) {
		return
	}
	attrs := []any{"request_id", requestid.From(ctx), "path", r.URL.Path, "kind", string(e.Kind), "status", e.Status()}
	if cause := e.Unwrap(); cause != nil {
		attrs = append(attrs, "cause", cause.Error())
	}
	log.Log(ctx, level, "request failed", attrs...)
}
