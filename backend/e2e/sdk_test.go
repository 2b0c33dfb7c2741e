package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"mlxbar/backend/audit"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/settings"
	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/upstream"
)

// question is what is asked, whichever SDK asks it; testdata/sdks.py reads the same.
type question struct {
	ID         string  `json:"id"` // of the request
	Model      string  `json:"model"`
	Key        string  `json:"key,omitempty"` // "" for the house's
	Prompt     string  `json:"prompt"`
	Limit      int64   `json:"limit"` // tokens
	Stream     bool    `json:"stream,omitempty"`
	Tools      bool    `json:"tools,omitempty"`
	Force      bool    `json:"force,omitempty"`       // a tool has to be called
	Schema     bool    `json:"schema,omitempty"`      // the answer has to be JSON, such as {"city": ""}
	Image      bool    `json:"image,omitempty"`       // there is one in the question
	Think      bool    `json:"think,omitempty"`       // before the answer
	Timeout    float64 `json:"timeout,omitempty"`     // the client's own, in seconds
	LeaveAfter int     `json:"leave_after,omitempty"` // pieces of text
	Then       string  `json:"then,omitempty"`        // the model that is asked to go on, with the results of the calls
}

// next is the question that goes on after q.
func (q question) next() question { return question{ID: q.ID + ", then", Key: q.Key, Stream: q.Stream} }

// answer is what came of it.
type answer struct {
	Text       string    `json:"text,omitempty"`
	Thought    string    `json:"thought,omitempty"`
	Signature  string    `json:"signature,omitempty"` // of what was thought
	Calls      []toolUse `json:"calls,omitempty"`
	Parsed     string    `json:"parsed,omitempty"` // the city in an answer by a schema
	Stop       string    `json:"stop,omitempty"`
	Prompt     int64     `json:"prompt,omitempty"` // tokens
	Completion int64     `json:"completion,omitempty"`
	Cached     int64     `json:"cached,omitempty"`
	Left       bool      `json:"left,omitempty"` // in mid-stream, of one's own will
	Then       string    `json:"then,omitempty"` // the second answer
	Error      *raised   `json:"error,omitempty"`
}

type toolUse struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

// raised is an SDK's own exception.
type raised struct {
	Class     string   `json:"class"`
	Kinds     []string `json:"kinds"` // the class and what it inherits from, each after its package
	Status    int      `json:"status"`
	Type      string   `json:"type"`
	Message   string   `json:"message"`
	RequestID string   `json:"request_id"`
}

// sdk is one official client, in one protocol.
type sdk struct {
	name      string
	path      string
	of        string // whose it is
	providers []string
	ask       func(h *house, q question) answer
}

var (
	openAIProviders   = []string{"far", "claude"}
	responseProviders = []string{"far", "plain", "claude"}
)

// sdks are all of them. Those in Python need the house's process.
func sdks(python *pythonSDKs) []sdk {
	return []sdk{
		{"openai-go, chat", "/v1/chat/completions", "openai", openAIProviders, askChat},
		{"openai-go, responses", "/v1/responses", "openai", responseProviders, askResponses},
		{"anthropic-sdk-go", "/v1/messages", "anthropic", openAIProviders, askMessages},
		{"openai in Python, chat", "/v1/chat/completions", "openai", openAIProviders, python.by("chat")},
		{"openai in Python, responses", "/v1/responses", "openai", responseProviders, python.by("responses")},
		{"anthropic in Python", "/v1/messages", "anthropic", openAIProviders, python.by("messages")},
	}
}

// asked is a question of an SDK with what came of it at both ends.
type asked struct {
	sdk
	provider string
	question
	a          answer
	sent, then string // what the upstream received
}

// row is one question to the scripted upstream and what is to come of it: a right answer, a problem, or that the client
// left. Every SDK asks it of every provider, streamed and not.
type row struct {
	script   string
	question question
	check    func(x *asked) bool
	problem  problem.Kind
	streamed bool // it makes sense in no other way
}

var rows = []row{
	{script: "hang", question: question{Timeout: 5}, check: timesOut, problem: problem.Cancelled}, // which the others do not wait for
	{script: "ok", check: says(upstream.Text(8), 8)},
	{script: "unicode", check: says(upstream.Unicode, 4)},
	{script: "packets-11", check: says(upstream.Text(8), 8), streamed: true},
	{script: "comments", check: says(upstream.Text(8), 8), streamed: true},
	{script: "fields", check: says(upstream.Text(8), 8), streamed: true},
	{script: "crlf", check: says(upstream.Text(8), 8), streamed: true},
	{script: "tools", question: question{Tools: true, Then: "ok"}, check: calls("weather")},
	{script: "parallel", question: question{Tools: true, Then: "ok"}, check: calls("weather", "time")},
	{script: "thinking", question: question{Think: true, Then: "ok"}, check: thinks},
	{script: "json", question: question{Schema: true}, check: keepsToTheSchema},
	{script: "ok", question: question{Image: true}, check: sees},
	{script: "status-400", check: raises(400), problem: problem.ContextExceeded},
	{script: "status-401", check: raises(502), problem: problem.UpstreamKey},
	{script: "status-403", check: raises(502), problem: problem.UpstreamKey},
	{script: "status-404", check: raises(404), problem: problem.ModelNotFound},
	{script: "status-409", check: raises(409), problem: problem.UpstreamRefused},
	{script: "status-413", check: raises(413), problem: problem.UpstreamRefused},
	{script: "status-422", check: raises(422), problem: problem.UpstreamRefused},
	{script: "status-429=9s", check: raises(429), problem: problem.RateLimited},
	{script: "status-500", check: raises(502), problem: problem.UpstreamFailed},
	{script: "status-503", check: raises(502), problem: problem.UpstreamFailed},
	{script: "status-529", check: raises(529), problem: problem.UpstreamOverloaded},
	{script: "html", check: raises(502), problem: problem.UpstreamMalformed},
	{script: "redirect", check: raises(502), problem: problem.UpstreamMalformed},
	{script: "twins", question: question{Tools: true}, check: breaks, problem: problem.UpstreamMalformed},
	{script: "no-json", question: question{Tools: true}, check: breaks, problem: problem.UpstreamMalformed},
	{script: "cut", check: breaks, problem: problem.UpstreamCut},
	{script: "error-event", check: breaks, problem: problem.UpstreamFailed, streamed: true},
	{script: "slow-idle=60s", question: question{LeaveAfter: 1}, check: leaves, problem: problem.Cancelled, streamed: true},
}

func says(text string, tokens int64) func(*asked) bool {
	return func(x *asked) bool {
		return x.a.Error == nil && x.a.Text == text && x.a.Prompt == upstream.PromptTokens && x.a.Cached == upstream.CachedTokens && x.a.Completion == tokens
	}
}

// calls wants the tools called and, when their results are brought back, the upstream to be told of each.
func calls(names ...string) func(*asked) bool {
	return func(x *asked) bool {
		var called, ids []string
		for _, c := range x.a.Calls {
			called = append(called, c.Name)
			if !isArguments(c.Arguments) || slices.Contains(ids, c.ID) {
				return false
			}
			ids = append(ids, c.ID)
		}
		told := !slices.ContainsFunc(ids, func(id string) bool { return strings.Count(x.then, `"`+id+`"`) != 2 })
		return x.a.Error == nil && slices.Equal(called, names) && told && x.a.Then == upstream.Text(8) && strings.Count(x.then, result) == len(names)
	}
}

// thinks wants to see what was thought. Where a signature comes with it, it comes back to whoever signed it.
func thinks(x *asked) bool {
	signed := x.provider == "claude" && x.of+x.path != "openai/v1/chat/completions" || x.provider == "far" && x.path == "/v1/responses"
	return x.a.Error == nil && x.a.Thought == upstream.Reasoning && x.a.Text == upstream.Marker+" it is" && x.a.Then == upstream.Text(8) &&
		signed == (x.a.Signature != "") && signed == strings.Contains(x.then, upstream.Signature)
}

func keepsToTheSchema(x *asked) bool {
	return x.a.Error == nil && x.a.Parsed == upstream.Marker && strings.Contains(x.sent, `"json_schema"`) && strings.Contains(x.sent, `"city"`)
}

func sees(x *asked) bool { return x.a.Error == nil && strings.Contains(x.sent, picture) }

// exceptions are the classes of the Python SDKs by status, Anthropic's own after those that both have.
var exceptions = map[int]string{400: "BadRequestError", 401: "AuthenticationError", 403: "PermissionDeniedError", 404: "NotFoundError", 409: "ConflictError",
	413: "APIStatusError", 422: "UnprocessableEntityError", 429: "RateLimitError", 502: "InternalServerError", 503: "InternalServerError", 504: "InternalServerError", 529: "InternalServerError"}

var anthropicExceptions = map[int]string{413: "ContentTooLargeError", 504: "GatewayTimeoutError", 503: "ServiceUnavailableError", 529: "OverloadedError"}

// raises wants the SDK's own exception for that status.
func raises(status int) func(*asked) bool {
	return func(x *asked) bool {
		class := "Error"
		if strings.Contains(x.name, "Python") {
			class = exceptions[status]
			if own := anthropicExceptions[status]; own != "" && x.of == "anthropic" {
				class = own
			}
		}
		e := x.a.Error
		return e != nil && e.Status == status && e.Class == class && slices.Contains(e.Kinds, x.of+"."+class) && e.Type != "" && e.Message != "" && !strings.Contains(e.Message, x.Prompt) &&
			(x.of != "anthropic" || e.RequestID == x.ID)
	}
}

// breaks wants that nobody takes half an answer for whole.
func breaks(x *asked) bool { return x.a.Error != nil }
func leaves(x *asked) bool { return x.a.Left && x.a.Error == nil }
func timesOut(x *asked) bool {
	return x.a.Error != nil && strings.Contains(x.a.Error.Class, "Timeout")
}

// trilingual leads far/… to a provider of OpenAI's protocol, plain/… to one that has no Responses and claude/… to one of
// Anthropic's; the end of the name is the script.
func trilingual(plain *upstream.Server) func(*settings.Settings) {
	return func(s *settings.Settings) {
		s.Server.MaxBodyMB = 1
		s.Providers = append(s.Providers,
			settings.Provider{Name: "plain", Kind: settings.KindOpenAI, BaseURL: plain.URL, APIKeyEnv: "FAR_KEY"},
			settings.Provider{Name: "claude", Kind: settings.KindAnthropic, BaseURL: s.Providers[0].BaseURL, APIKeyEnv: "FAR_KEY"})
		s.Providers = append(s.Providers, settings.Provider{Name: "away", Kind: settings.KindOpenAI, BaseURL: "https://provider.invalid/v1"}) // which local_only forbids
		for _, provider := range append([]string{"away"}, responseProviders...) {
			s.Routes = append(s.Routes, settings.Route{Model: provider + "/*", Targets: []settings.Target{{Provider: provider}}})
		}
	}
}

// TestTheOfficialSDKsAreAnsweredByEveryUpstream has every SDK ask every provider everything, many at a time, and then the real engine.
func TestTheOfficialSDKsAreAnsweredByEveryUpstream(t *testing.T) {
	plain := testkit.NewUpstream(t, upstream.WithoutResponses())
	h := newHouse(t, trilingual(plain))
	if err := os.WriteFile(filepath.Join(h.paths.Models, "broken.gguf"), []byte("GGUF, but for the rest"), 0o600); err != nil {
		t.Fatal(err)
	}
	python := h.pythonSDKs()
	want := map[string]problem.Kind{} // by request
	gone := map[string]bool{}         // models whose client leaves in mid-stream
	for n, s := range sdks(python) {
		t.Run(s.name, func(t *testing.T) {
			var all sync.WaitGroup
			room := make(chan struct{}, 24)
			for i, r := range rows {
				for j, provider := range s.providers {
					for k, stream := range []bool{false, true} {
						if r.streamed && !stream {
							continue
						}
						x := asked{sdk: s, provider: provider, question: r.question}
						base := fmt.Sprintf("%s/%d.%d.%d.%d/", provider, n, i, j, k) // a target of its own, or its circuit opens
						x.ID, x.Model, x.Prompt, x.Stream = base+r.script, base+r.script, "Say hello to "+h.secrets.prompt, stream
						if x.Limit = 100; x.Then != "" {
							x.Then = base + x.Then
							want[x.ID+", then"] = ""
						}
						want[x.ID] = r.problem
						if r.question.LeaveAfter > 0 {
							gone[x.Model] = true
						}
						room <- struct{}{}
						all.Go(func() {
							defer func() { <-room }()
							if x.a = s.ask(h, x.question); !r.check(x.told(h, plain)) {
								t.Errorf("%s, streamed=%v: %s", x.Model, stream, &x)
							}
						})
					}
				}
			}
			all.Wait()
			s.isAnsweredByTheEngine(t, h, n, want)
		})
	}
	h.refusesBySettings(t, sdks(python), want)
	for len(gone) > 0 { // the upstream saw every connection close
		delete(gone, testkit.Receive(t, h.upstream.Gone()).Model)
		select {
		case r := <-plain.Gone():
			delete(gone, r.Model)
		default:
		}
	}
	h.nothingRuns(plain)
	h.recordsAre(want)
}

// nothingRuns waits until no connection to an upstream serves a request.
func (h *house) nothingRuns(plain *upstream.Server) {
	h.t.Helper()
	h.eventually("no upstream serves a request", func() bool {
		_, far := h.upstream.Open()
		_, other := plain.Open()
		return far+other == 0
	})
}

// told looks up what the upstream received.
func (x *asked) told(h *house, plain *upstream.Server) *asked {
	up := h.upstream
	if x.provider == "plain" {
		up = plain
	}
	for _, r := range up.Requests() {
		switch r.Model {
		case x.question.Then:
			x.then = string(r.Body)
		case x.Model:
			x.sent = string(r.Body)
		}
	}
	return x
}

func (x *asked) String() string {
	raw, _ := json.Marshal(x.a)
	return fmt.Sprintf("%s\nsent %.800s\nthen %.1500s", raw, x.sent, x.then)
}

// recordsAre holds the audit to what came of each request.
func (h *house) recordsAre(want map[string]problem.Kind) {
	h.t.Helper()
	var raw []byte
	h.eventually("all requests have ended", func() (ended bool) {
		status := 0
		if status, raw = h.ask(http.MethodGet, "/api/audit/export?format=jsonl", ""); status != http.StatusOK {
			h.t.Fatalf("%d %s", status, raw)
		}
		return !strings.Contains(string(raw), `"status":"running"`)
	})
	for line := range strings.Lines(string(raw)) {
		var r audit.Record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			h.t.Fatal(err)
		}
		kind, known := want[r.RequestID]
		state := map[problem.Kind]audit.Status{"": audit.Success, problem.Cancelled: audit.Cancelled, problem.FirstToken: audit.TimedOut}[kind]
		if state == "" {
			state = audit.Failed
		}
		if !known || r.Status != state || r.ErrorType != string(kind) {
			h.t.Errorf("record %s %s %s, want %s %s", r.RequestID, r.Status, r.ErrorType, state, kind)
		}
		delete(want, r.RequestID)
	}
	for id := range want {
		h.t.Errorf("there is no record of %s", id)
	}
}
