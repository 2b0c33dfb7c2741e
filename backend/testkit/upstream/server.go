// Package upstream is a scripted server of OpenAI's and Anthropic's protocols over a real socket:
// the far end that the gateway's tests and its benchmark need, well behaved or
// broken on purpose.
//
// What it does is chosen by the model that a request names, so it can be used by
// hand as well: "ok" answers, "ok-100" answers with a hundred tokens, "cut" breaks the
// connection in mid-answer, "slow-first=2s" waits before its first token. Scripts
// lists them all. What stands before a slash, as in "far/ok", does not count.
package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// MaxDelay bounds every wait of a script, "hang" included.
const MaxDelay = time.Minute

const (
	maxBody      = 256 << 20
	goneBuffered = 4096
)

// A Request is what the upstream received.
type Request struct {
	Method string
	Path   string
	Header http.Header
	Body   []byte
	Model  string // as the body names it
}

// Counts says how many inference requests were seen, for a client that has to
// account for each of them.
type Counts struct {
	Requests int64 `json:"requests"` // arrived in full
	Answered int64 `json:"answered"` // the script ran to its end
	Gone     int64 `json:"gone"`     // the client left before that
	// ByModel splits Requests by the model asked for, where that was a script's.
	ByModel map[string]int64 `json:"by_model"`
}

// Server is a running upstream.
type Server struct {
	// URL is the base URL as a provider is configured with it; it ends in /v1.
	URL string

	options options
	http    *http.Server
	served  chan error
	prebuilt

	connections connections

	running sync.WaitGroup
	mu      sync.Mutex // guards what follows, and running.Add against Close
	closing bool
	history []Request

	gone                  chan Request
	nRequests, nOK, nGone atomic.Int64
	byModel               sync.Map // model → *atomic.Int64
}

type options struct {
	addr    string
	key     string
	script  string
	chunks  int
	delay   time.Duration
	forgets bool
	lacks   bool // Responses

	models    []string
	page      int
	listDelay time.Duration
}

// An Option changes how a Server is started.
type Option func(*options)

// Addr listens on addr instead of a free port of 127.0.0.1.
func Addr(addr string) Option { return func(o *options) { o.addr = addr } }

// Key requires it as bearer token.
func Key(key string) Option { return func(o *options) { o.key = key } }

// Script answers every request with the named script, whatever model it names.
func Script(name string) Option { return func(o *options) { o.script = name } }

// Chunks is the number of tokens of scripts that are given none.
func Chunks(n int) Option { return func(o *options) { o.chunks = n } }

// Delay is the wait of slow scripts that are given none.
func Delay(d time.Duration) Option { return func(o *options) { o.delay = d } }

// WithoutResponses answers 404 where OpenAI has them, as many servers of its protocol do.
func WithoutResponses() Option { return func(o *options) { o.lacks = true } }

// Forgetful keeps no history of requests, for a long run under load.
func Forgetful() Option { return func(o *options) { o.forgets = true } }

// Models lists these instead of the scripts.
func Models(names ...string) Option { return func(o *options) { o.models = names } }

// Page is how many models stand on one page of Anthropic's list, at most.
func Page(n int) Option { return func(o *options) { o.page = n } }

// ListDelay is the wait before models are listed.
func ListDelay(d time.Duration) Option { return func(o *options) { o.listDelay = d } }

// Start starts a server; the caller closes it.
func Start(opts ...Option) (*Server, error) {
	o := options{addr: "127.0.0.1:0", chunks: 8, delay: 300 * time.Millisecond}
	for _, opt := range opts {
		opt(&o)
	}
	if _, err := parseCall(o.script, o); o.script != "" && err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", o.addr)
	if err != nil {
		return nil, fmt.Errorf("upstream: %w", err)
	}
	s := &Server{
		URL:     "http://" + listener.Addr().String() + "/v1",
		options: o,
		served:  make(chan error, 1),
		gone:    make(chan Request, goneBuffered),
	}
	s.http = &http.Server{Handler: s.routes(), ReadHeaderTimeout: MaxDelay, ConnState: s.connections.note}
	go func() { s.served <- s.http.Serve(listener) }()
	return s, nil
}

// Close breaks every connection and returns when all scripts have ended.
func (s *Server) Close() error {
	s.mu.Lock()
	already := s.closing
	s.closing = true
	s.mu.Unlock()
	if already {
		return nil
	}
	err := s.http.Close()
	s.running.Wait()
	if serr := <-s.served; !errors.Is(serr, http.ErrServerClosed) {
		err = errors.Join(err, serr)
	}
	return err
}

// Requests gives the requests received so far, in order, those for /v1/models
// and those refused for their key included.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.history...)
}

// Gone yields each request whose client left before its script ended.
func (s *Server) Gone() <-chan Request { return s.gone }

// Counts gives the figures that GET /counts serves too.
func (s *Server) Counts() Counts {
	c := Counts{Requests: s.nRequests.Load(), Answered: s.nOK.Load(), Gone: s.nGone.Load(), ByModel: map[string]int64{}}
	s.byModel.Range(func(model, n any) bool {
		c.ByModel[model.(string)] = n.(*atomic.Int64).Load()
		return true
	})
	return c
}

func (s *Server) count(model string) {
	n, ok := s.byModel.Load(model)
	if !ok {
		n, _ = s.byModel.LoadOrStore(model, new(atomic.Int64))
	}
	n.(*atomic.Int64).Add(1)
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /counts", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(s.Counts())
	})
	mux.HandleFunc("GET /v1/models", s.guarded(s.models))
	mux.HandleFunc("GET /v1/models/{id}", s.guarded(s.model))
	inferences := []endpoint{chat, completions, embeddings, messages}
	if !s.options.lacks {
		inferences = append(inferences, responses)
	}
	for _, e := range inferences {
		mux.HandleFunc("POST "+string(e), s.guarded(func(w http.ResponseWriter, r *http.Request, body []byte) {
			s.infer(w, r, e, body)
		}))
	}
	mux.HandleFunc("POST "+string(countTokens), s.guarded(s.counted))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusNotFound, apiError{
			Message: fmt.Sprintf("Unknown request URL: %s %s.", r.Method, r.URL.Path), Type: "invalid_request_error", Code: "unknown_url"})
	})
	return mux
}

// guarded reads and records the request, then checks its key.
func (s *Server) guarded(next func(http.ResponseWriter, *http.Request, []byte)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.enter() {
			panic(http.ErrAbortHandler)
		}
		defer s.running.Done()
		body, err := readBody(w, r)
		if err != nil {
			writeError(w, http.StatusBadRequest, apiError{Message: "The body could not be read.", Type: "invalid_request_error"})
			return
		}
		s.record(r, body)
		given := r.Header.Get("Authorization")
		if s.options.key != "" && given != "Bearer "+s.options.key && r.Header.Get("X-Api-Key") != s.options.key {
			writeError(w, http.StatusUnauthorized, apiError{
				Message: "Incorrect API key provided: " + given + ".", Type: "invalid_request_error", Code: "invalid_api_key"})
			return
		}
		next(w, r, body)
	}
}

func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.running.Add(1)
	return true
}

func (s *Server) record(r *http.Request, body []byte) {
	if s.options.forgets {
		return
	}
	req := Request{Method: r.Method, Path: r.URL.Path, Header: r.Header.Clone(), Body: body, Model: modelOf(body)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.history = append(s.history, req)
}

// left notes that a client went away; Close is not a client's doing.
func (s *Server) left(r *http.Request, body []byte) {
	s.mu.Lock()
	closing := s.closing
	s.mu.Unlock()
	if closing {
		return
	}
	s.nGone.Add(1)
	req := Request{Method: r.Method, Path: r.URL.Path, Header: r.Header.Clone(), Body: body, Model: modelOf(body)}
	select {
	case s.gone <- req:
	default: // a load run that reads no one's departure
	}
}

func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(min(d, MaxDelay))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// connections knows those that are open, and which of them serve a request.
type connections struct {
	mu     sync.Mutex
	states map[net.Conn]http.ConnState
}

func (c *connections) note(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if state == http.StateClosed || state == http.StateHijacked {
		delete(c.states, conn)
		return
	}
	if c.states == nil {
		c.states = map[net.Conn]http.ConnState{}
	}
	c.states[conn] = state
}

// Open is how many connections clients hold, and how many of those are not idle.
func (s *Server) Open() (open, busy int) {
	c := &s.connections
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, state := range c.states {
		if state != http.StateIdle {
			busy++
		}
	}
	return len(c.states), busy
}
