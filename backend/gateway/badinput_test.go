package gateway_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"mlxbar/backend/audit"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/settings"
	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/upstream"
)

// What an upstream may do wrong, and what comes of it: in a whole answer, in a stream that is passed on, and in
// one that is converted. None means that the client gets the answer, for it can read it.
const none = problem.Kind("")

var badInput = []struct {
	script                   string
	whole, passed, converted problem.Kind
}{
	{"html", problem.UpstreamMalformed, problem.UpstreamMalformed, problem.UpstreamMalformed},
	{"empty", problem.UpstreamMalformed, problem.UpstreamCut, problem.UpstreamCut},
	{"redirect", problem.UpstreamMalformed, problem.UpstreamMalformed, problem.UpstreamMalformed},
	{"malformed-json", problem.UpstreamMalformed, problem.UpstreamMalformed, problem.UpstreamMalformed},
	{"malformed-sse", problem.UpstreamMalformed, problem.UpstreamCut, problem.UpstreamCut},
	{"error-event", problem.UpstreamFailed, problem.UpstreamFailed, problem.UpstreamFailed},
	{"cut", problem.UpstreamCut, problem.UpstreamCut, problem.UpstreamCut},
	{"cut-headers", problem.UpstreamCut, problem.UpstreamCut, problem.UpstreamCut},
	{"cut-clean", problem.UpstreamMalformed, problem.UpstreamCut, problem.UpstreamCut},
	{"unicode", none, none, none},
	{"packets-7", none, none, none},
	{"tools", none, none, none},
	{"parallel", none, none, none},
	{"twins", problem.UpstreamMalformed, problem.UpstreamMalformed, problem.UpstreamMalformed},
	{"no-json", problem.UpstreamMalformed, problem.UpstreamMalformed, problem.UpstreamMalformed},
}

// deaf are upstreams that never come to an end; each limit is for what it names.
var deaf = []string{"endless=1ms", "pings=5ms", "hang"}

// ends are how a whole stream of each protocol ends.
var ends = map[string]string{chatPath: "data: [DONE]", responsePath: "event: response.completed", messagePath: "event: message_stop"}

func TestWhatAnUpstreamDoesWrongIsAClearProblem(t *testing.T) {
	h := bilingual(t)
	for _, path := range []string{chatPath, responsePath, messagePath} {
		for _, provider := range providers {
			passed := h.passes(path, provider)
			of := provider + path + "/" // a model for each path: one that fails again and again is left alone
			t.Run(path+" "+provider, func(t *testing.T) {
				for _, c := range badInput {
					h.comesTo(t, path, of+c.script, false, c.whole)
					h.comesTo(t, path, of+c.script, true, map[bool]problem.Kind{true: c.passed, false: c.converted}[passed])
				}
			})
		}
	}
	h.nothingRuns(t)
	h.areRecorded(t)
}

// What a client has of a stream when a call turns out wrong came as it was sent, and what it then hears quotes nothing of it.
func TestAStreamIsPassedOnAsItCameUpToAWrongCall(t *testing.T) {
	h := bilingual(t)
	for path, provider := range map[string]string{chatPath: "far", responsePath: "far", messagePath: "claude"} {
		for script, says := range map[string]string{"twins": "called two tools under one id.", "no-json": "called a tool with arguments that are no JSON object."} {
			model := provider + "/" + script
			got := h.comesTo(t, path, model, true, problem.UpstreamMalformed)
			asked := asks(path, model, true)
			if path == chatPath { // the gateway asks for the usage, which each event tells then
				asked = strings.Replace(asked, "{", `{"stream_options":{"include_usage":true},`, 1)
			}
			resp, err := http.Post(h.upstream.URL+strings.TrimPrefix(path, "/v1"), "application/json", strings.NewReader(asked))
			if err != nil {
				t.Fatal(err)
			}
			sent, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			cut := strings.LastIndex(strings.TrimRight(got, "\n"), "\n\n") + 2
			if err != nil || !strings.HasPrefix(string(sent), got[:cut]) || cut < 100 {
				t.Errorf("%s %s, %v: got %s\nof %s", path, script, err, got[:cut], sent)
			}
			if !strings.Contains(got[cut:], says) || strings.Contains(got[cut:], upstream.Marker) || strings.Contains(got[cut:], "upstream1") {
				t.Errorf("%s %s ends with %s", path, script, got[cut:])
			}
		}
	}
	h.nothingRuns(t)
	h.areRecorded(t)
}

// An event may be large, as one with a picture in it is; no more of it is kept than the limit.
func TestAHugeEventIsPassedOnUpToALimit(t *testing.T) {
	h := bilingual(t)
	for _, c := range []struct {
		path, model string
		stream      bool
		kind        problem.Kind
	}{
		{chatPath, "far/huge-event-7168", true, none},
		{messagePath, "far/huge-event-2048", true, none}, // converted
		{chatPath, "far/huge-event-10240", true, problem.UpstreamMalformed},
		{chatPath, "claude/huge-event-10240", true, problem.UpstreamMalformed},
	} {
		h.comesTo(t, c.path, c.model, c.stream, c.kind)
	}
	h.nothingRuns(t)
	h.areRecorded(t)
}

func TestAnAnswerWithoutEndIsATimeout(t *testing.T) {
	h := bilingual(t)
	s := *h.settings.Load()
	s.Timeouts.Chat, s.Timeouts.Idle = settings.Duration(3*time.Second), settings.Duration(time.Second)
	h.settings.Store(&s)
	var all sync.WaitGroup
	for _, path := range []string{chatPath, responsePath, messagePath} {
		for _, provider := range providers {
			for _, script := range deaf {
				for _, stream := range []bool{false, true} {
					all.Go(func() { h.comesTo(t, path, provider+path+"/"+script, stream, problem.Timeout) })
				}
			}
		}
	}
	all.Wait()
	h.nothingRuns(t)
	h.areRecorded(t)
}

// A certificate that nobody vouches for ends the way there, and the person is told that it does.
func TestAWrongCertificateIsAClearProblem(t *testing.T) {
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	h := bilingual(t)
	s := *h.settings.Load()
	s.Providers = slices.Clone(s.Providers)
	for i := range s.Providers {
		s.Providers[i].BaseURL = secure.URL + "/v1"
	}
	h.settings.Store(&s)
	var all sync.WaitGroup
	for _, path := range []string{chatPath, responsePath, messagePath} {
		for _, provider := range providers {
			for _, stream := range []bool{false, true} {
				all.Go(func() { // each waits before it tries again
					got := h.comesTo(t, path, provider+"/ok", stream, problem.UpstreamUnreachable)
					if !strings.Contains(got, "certificate") {
						t.Errorf("%s %s: nothing of the certificate: %s", path, provider, got)
					}
				})
			}
		}
	}
	all.Wait()
	h.areRecorded(t)
}

// passes says whether provider is asked in the protocol of path.
func (h *house) passes(path, provider string) bool {
	switch path {
	case messagePath:
		return provider == "claude"
	case responsePath:
		return provider == "far"
	}
	return provider != "claude"
}

// comesTo asks a model, and holds the answer to the kind of problem, or to a success; areRecorded does so with the record.
func (h *house) comesTo(t *testing.T, path, model string, stream bool, kind problem.Kind) (body string) {
	name := fmt.Sprintf("%s %s streamed=%v", path, model, stream)
	wrong := func(format string, args ...any) {
		t.Errorf("%s: %s\n%.300s", name, fmt.Sprintf(format, args...), body)
	}
	req, err := http.NewRequestWithContext(t.Context(), "POST", h.url+path, strings.NewReader(asks(path, model, stream)))
	if err != nil {
		wrong("%v", err)
		return ""
	}
	req.Header.Set("Content-Type", "application/json")
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		wrong("no answer: %v", err)
		return ""
	}
	raw, broken := io.ReadAll(resp.Body)
	resp.Body.Close()
	body = string(raw)
	if strings.Contains(body, "canary") || strings.Contains(body, "sk-") {
		wrong("the upstream is quoted")
	}
	begun := resp.StatusCode == http.StatusOK
	switch {
	case kind == none:
		if !begun || broken != nil || !strings.Contains(body, upstream.Marker[:6]) || stream && !strings.Contains(body, ends[path]) {
			wrong("%d, %v; want a whole answer", resp.StatusCode, broken)
		}
	case !begun:
		if got := gjson.Get(body, "type").Str; got != "/problems/"+string(kind) || resp.StatusCode != kind.Status() || gjson.Get(body, "error.message").Str == "" {
			wrong("%d %s, want %s", resp.StatusCode, got, kind)
		}
	default:
		last := body[strings.LastIndex(strings.TrimRight(body, "\n"), "\n\n")+1:]
		if !stream || !errors.Is(broken, io.ErrUnexpectedEOF) || strings.Contains(body, ends[path]) || !strings.Contains(last, "error") {
			wrong("the stream ended with %q, %v; want %s", last, broken, kind)
		}
	}
	h.expected.add(resp.Header.Get("X-Request-ID"), name, kind)
	return body
}

// expectations are what the records of requests must say, by their ids.
type expectations struct {
	mu   sync.Mutex
	kind map[string]problem.Kind
	name map[string]string
}

func (e *expectations) add(id, name string, kind problem.Kind) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.kind == nil {
		e.kind, e.name = map[string]problem.Kind{}, map[string]string{}
	}
	e.kind[id], e.name[id] = kind, name
}

// areRecorded holds the audit to what was expected of it.
func (h *house) areRecorded(t *testing.T) {
	t.Helper()
	if err := h.recorder.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := h.records.Each(t.Context(), audit.Filter{}, func(r audit.Record) error {
		kind, known := h.expected.kind[r.RequestID]
		want := map[problem.Kind]audit.Status{none: audit.Success, problem.Timeout: audit.TimedOut}[kind]
		if want == "" {
			want = audit.Failed
		}
		if !known || r.Status != want || r.ErrorType != string(kind) || kind != none && r.TotalTokens != nil {
			t.Errorf("%s: record %+v, want %s %s", h.expected.name[r.RequestID], r, want, kind)
		}
		delete(h.expected.kind, r.RequestID)
		return nil
	})
	if err != nil || len(h.expected.kind) > 0 {
		t.Errorf("%d requests are not recorded, %v", len(h.expected.kind), err)
	}
}

// nothingRuns waits until no connection to an upstream serves a request.
func (h *house) nothingRuns(t *testing.T) {
	t.Helper()
	waitFor(t, "no upstream serves a request", func() bool {
		_, far := h.upstream.Open()
		_, plain := h.plain.Open()
		return far+plain == 0
	})
}

func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(testkit.Patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
