package gateway_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"mlxbar/backend/audit"
	"mlxbar/backend/engine"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/settings"
)

func TestEveryErrorIsAProblem(t *testing.T) {
	const chatPath = "/v1/chat/completions"
	noHost := header("Host", "evil.example")
	for name, c := range map[string]struct {
		method, path, body string
		change             func(*http.Request)
		kind               problem.Kind
		location           string // of the first field, "" for none
	}{
		"unknown route at the root": {"GET", "/nope", "", nil, problem.NotFound, ""},
		"unknown route under v1":    {"POST", "/v1/nope", "{}", nil, problem.NotFound, ""},
		"unknown route under api":   {"GET", "/api/nope", "", nil, problem.NotFound, ""},
		"v1 itself":                 {"GET", "/v1", "", nil, problem.NotFound, ""},
		"a path with escapes":       {"GET", "/v1/models/a%2Fb%00%FF", "", nil, problem.ModelNotFound, ""},
		"a path that is not clean":  {"POST", "/v1//chat/completions", "{}", nil, problem.NotFound, ""},
		"wrong method":              {"GET", chatPath, "", nil, problem.MethodNotAllowed, ""},
		"options":                   {"OPTIONS", chatPath, "", nil, problem.MethodNotAllowed, ""},
		"no body":                   {"POST", chatPath, "", header("Content-Type", "application/json"), problem.InvalidJSON, ""},
		"broken JSON":               {"POST", chatPath, `{"model":`, nil, problem.InvalidJSON, ""},
		"JSON that is no object":    {"POST", chatPath, `["model"]`, nil, problem.InvalidJSON, ""},
		"two objects":               {"POST", chatPath, `{}{}`, nil, problem.InvalidJSON, ""},
		"no content type":           {"POST", chatPath, `{}`, header("Content-Type", ""), problem.UnsupportedMedia, ""},
		"a form":                    {"POST", chatPath, `a=b`, header("Content-Type", "application/x-www-form-urlencoded"), problem.UnsupportedMedia, ""},
		"another charset":           {"POST", chatPath, `{}`, header("Content-Type", "application/json; charset=utf-16"), problem.UnsupportedMedia, ""},
		"body over the limit":       {"POST", chatPath, strings.Repeat(" ", 1<<20+1) + "{}", nil, problem.BodyTooLarge, ""},
		"no model":                  {"POST", chatPath, `{"messages":[{"role":"user","content":"x"}]}`, nil, problem.InvalidRequest, "body.model"},
		"model is a number":         {"POST", chatPath, `{"model":3,"messages":[{"role":"user","content":"x"}]}`, nil, problem.InvalidRequest, "body.model"},
		"model is empty":            {"POST", chatPath, `{"model":"","messages":[{"role":"user","content":"x"}]}`, nil, problem.InvalidRequest, "body.model"},
		"model stands twice":        {"POST", chatPath, `{"model":"a","model":"b","messages":[{"role":"user","content":"x"}]}`, nil, problem.InvalidRequest, "body.model"},
		"no messages":               {"POST", chatPath, `{"model":"ok"}`, nil, problem.InvalidRequest, "body.messages"},
		"messages is a string":      {"POST", chatPath, `{"model":"ok","messages":"x"}`, nil, problem.InvalidRequest, "body.messages"},
		"messages is empty":         {"POST", chatPath, `{"model":"ok","messages":[]}`, nil, problem.InvalidRequest, "body.messages"},
		"a message is a string":     {"POST", chatPath, `{"model":"ok","messages":["x"]}`, nil, problem.InvalidRequest, "body.messages[0]"},
		"a message has no role":     {"POST", chatPath, `{"model":"ok","messages":[{"role":"user"},{"content":"x"}]}`, nil, problem.InvalidRequest, "body.messages[1].role"},
		"max_tokens is a string":    {"POST", chatPath, `{"model":"ok","messages":[{"role":"user"}],"max_tokens":"9"}`, nil, problem.InvalidRequest, "body.max_tokens"},
		"max_tokens is negative":    {"POST", chatPath, `{"model":"ok","messages":[{"role":"user"}],"max_tokens":-1}`, nil, problem.InvalidRequest, "body.max_tokens"},
		"max_tokens is a fraction":  {"POST", chatPath, `{"model":"ok","messages":[{"role":"user"}],"max_tokens":1.5}`, nil, problem.InvalidRequest, "body.max_tokens"},
		"stream is a string":        {"POST", chatPath, `{"model":"ok","messages":[{"role":"user"}],"stream":"yes"}`, nil, problem.InvalidRequest, "body.stream"},
		"stream_options is a list":  {"POST", chatPath, `{"model":"ok","messages":[{"role":"user"}],"stream_options":[]}`, nil, problem.InvalidRequest, "body.stream_options"},
		"no prompt":                 {"POST", "/v1/completions", `{"model":"ok"}`, nil, problem.InvalidRequest, "body.prompt"},
		"no input":                  {"POST", "/v1/embeddings", `{"model":"ok"}`, nil, problem.InvalidRequest, "body.input"},
		"input is an empty array":   {"POST", "/v1/embeddings", `{"model":"ok","input":[]}`, nil, problem.InvalidRequest, "body.input"},
		"unknown model":             {"POST", chatPath, chat("unknown-model", false), nil, problem.ModelNotFound, ""},
		"unknown model, listed":     {"GET", "/v1/models/unknown-model", "", nil, problem.ModelNotFound, ""},
		"foreign host":              {"GET", "/v1/models", "", noHost, problem.ForeignHost, ""},
		"foreign host, any path":    {"GET", "/nope", "", noHost, problem.ForeignHost, ""},
		"foreign origin":            {"POST", chatPath, chat("ok", false), header("Origin", "https://evil.example"), problem.ForeignOrigin, ""},
		"origin null":               {"GET", "/v1/models", "", header("Origin", "null"), problem.ForeignOrigin, ""},
		"preflight of a stranger":   {"OPTIONS", chatPath, "", header("Origin", "https://evil.example"), problem.ForeignOrigin, ""},
		"a panic":                   {"GET", "/panic", "", nil, problem.Internal, ""},
		"an unknown kind of error":  {"GET", "/problems/nope", "", nil, problem.NotFound, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, func(s *settings.Settings) { s.Server.MaxBodyMB = 1 })
			change := c.change
			if change == nil {
				change = func(*http.Request) {}
			}
			resp := h.request(c.method, c.path, c.body, change, header("X-Request-ID", "my-request"))
			doc := readProblem(t, resp)
			if resp.StatusCode != c.kind.Status() || doc.Status != resp.StatusCode || doc.Type != "/problems/"+string(c.kind) {
				t.Errorf("status %d, document %d %q; want %d %q", resp.StatusCode, doc.Status, doc.Type, c.kind.Status(), c.kind)
			}
			if doc.Title == "" || doc.Detail == "" || doc.Instance != c.path {
				t.Errorf("title %q, detail %q, instance %q: none may be empty, the last is %q", doc.Title, doc.Detail, doc.Instance, c.path)
			}
			if got := resp.Header.Get("X-Request-ID"); got != "my-request" || doc.RequestID != got {
				t.Errorf("X-Request-ID %q, request_id %q; want what the client sent", got, doc.RequestID)
			}
			checkField(t, doc, c.location)
			if under := c.path == "/v1" || strings.HasPrefix(c.path, "/v1/"); under != (doc.Error != nil) {
				t.Errorf("error member %+v at %s", doc.Error, c.path)
			}
			if doc.Error != nil && (doc.Error.Message != doc.Detail || doc.Error.Type == "" || doc.Error.Code == nil) {
				t.Errorf("error member %+v: message is the detail, type and code are set", *doc.Error)
			}
			if c.kind == problem.MethodNotAllowed && resp.Header.Get("Allow") != "POST" {
				t.Errorf("Allow %q, want POST", resp.Header.Get("Allow"))
			}
			if strings.Contains(doc.Detail, "secret of the inside") {
				t.Errorf("the panic's value reached the client: %q", doc.Detail)
			}
		})
	}
}

func checkField(t *testing.T, doc problem.Document, location string) {
	t.Helper()
	if location == "" {
		if len(doc.Errors) > 0 {
			t.Errorf("errors %+v, want none", doc.Errors)
		}
		return
	}
	if len(doc.Errors) == 0 || doc.Errors[0].Location != location || doc.Errors[0].Detail == "" {
		t.Errorf("errors %+v, want the first at %s", doc.Errors, location)
	}
}

func TestAValidationErrorListsEveryFault(t *testing.T) {
	h := newHouse(t, nil)
	doc := readProblem(t, h.request("POST", "/v1/chat/completions", `{"stream":1,"max_tokens":0,"messages":{}}`))
	var at []string
	for _, f := range doc.Errors {
		at = append(at, f.Location)
	}
	want := "body.stream body.max_tokens body.messages body.model"
	if got := strings.Join(at, " "); got != want {
		t.Errorf("faults at %q, want %q", got, want)
	}
	if doc.Errors[0].Value != float64(1) {
		t.Errorf("the value of stream is %v, want the number that was sent", doc.Errors[0].Value)
	}
}

func TestARequestIDThatIsNoneIsReplaced(t *testing.T) {
	h := newHouse(t, nil)
	for _, bad := range []string{"", strings.Repeat("x", 129), "tab\there", "ümlaut"} {
		resp := h.request("GET", "/healthz", "", header("X-Request-ID", bad))
		if got := resp.Header.Get("X-Request-ID"); !strings.HasPrefix(got, "req_") || got == bad {
			t.Errorf("%q was answered with %q, want a new one", bad, got)
		}
	}
}

func TestAnUnknownModelTellsWhatThereIs(t *testing.T) {
	h := newHouse(t, func(s *settings.Settings) {
		s.Routes = append(s.Routes, settings.Route{Model: "exact", Targets: []settings.Target{{Provider: "far"}}})
	})
	doc := readProblem(t, h.request("POST", "/v1/chat/completions", chat("unknown", false)))
	for _, name := range []string{localModel, "exact", "far/*"} {
		if !strings.Contains(doc.Detail, name) {
			t.Errorf("detail %q does not name %q", doc.Detail, name)
		}
	}
}

func TestAnEngineThatIsDown(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(*house)
		kind    problem.Kind
		status  audit.Status
	}{
		"load fails": {func(h *house) {
			h.engines.err = &engine.LoadError{Model: "ok", Reason: "The file is broken.", Cause: errors.New("/home/me/secret.gguf")}
		}, problem.EngineUnavailable, audit.Failed},
		"too large": {func(h *house) {
			h.engines.err = &engine.LoadError{Model: "ok", Reason: "It is expected to take 9 GB.", Cause: engine.ErrTooLarge}
		}, problem.ModelTooLarge, audit.Failed},
		"too many wait": {func(h *house) {
			h.engines.err = &engine.QueueFullError{Model: "ok", Waiting: 64, RetryAfter: 5 * time.Second}
		}, problem.QueueFull, audit.Failed},
		"pool closed":        {func(h *house) { h.engines.err = engine.ErrClosed }, problem.ShuttingDown, audit.Interrupted},
		"nobody at the port": {func(h *house) { h.engines.url = "http://127.0.0.1:1" }, problem.UpstreamUnreachable, audit.Failed},
		"process ended":      {func(h *house) { h.engines.url = "http://127.0.0.1:1"; close(h.engines.gone) }, problem.EngineStopped, audit.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, nil)
			c.prepare(h)
			resp := h.request("POST", "/v1/chat/completions", chat("ok", false))
			doc := readProblem(t, resp)
			if doc.Type != "/problems/"+string(c.kind) || resp.StatusCode != c.kind.Status() {
				t.Errorf("got %d %s, want %s", resp.StatusCode, doc.Type, c.kind)
			}
			if strings.Contains(doc.Detail, "secret.gguf") {
				t.Errorf("the cause reached the client: %q", doc.Detail)
			}
			if after := resp.Header.Get("Retry-After"); (after != "") != (c.kind == problem.QueueFull) {
				t.Errorf("Retry-After is %q", after)
			}
			if rec := h.only(); rec.Status != c.status || rec.ErrorType != string(c.kind) || *rec.HTTPStatus != int64(c.kind.Status()) {
				t.Errorf("record %+v", rec)
			}
		})
	}
}

func TestWhyAnEngineWasGivenUpReachesTheClient(t *testing.T) {
	h := newHouse(t, nil)
	h.engines.err = &engine.LoadError{Model: "ok", Reason: "The engine ended 5 times.", Tail: []string{"layer 1", "CUDA error"}}
	doc := readProblem(t, h.request("POST", "/v1/chat/completions", chat("ok", false)))
	if want := "The model ok could not be loaded: The engine ended 5 times. Its log ends: layer 1 | CUDA error"; doc.Detail != want {
		t.Errorf("the detail is %q, want %q", doc.Detail, want)
	}
}

func TestTheRecordOfAFailedLoadNamesTheEngine(t *testing.T) {
	broken := &engine.LoadError{Reason: "The file is broken."}
	for name, c := range map[string]struct {
		model            string
		err              error
		provider, served string
	}{
		"it could not load the model": {"OK", broken, "llamacpp", "ok"},
		"the pool is closed":          {"ok", engine.ErrClosed, "llamacpp", "ok"},
		"there never was one":         {"broken", broken, "", ""},
		"the model is unknown":        {"unknown", nil, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, nil)
			h.engines.err = c.err
			h.request("POST", "/v1/chat/completions", chat(c.model, false))
			if rec := h.only(); rec.Provider != c.provider || rec.ServedModel != c.served || rec.Backend != audit.Local {
				t.Errorf("the record names %q, %q and %s; want %q and %q", rec.Provider, rec.ServedModel, rec.Backend, c.provider, c.served)
			}
		})
	}
}

func TestPagesOfAllowedOriginsMayAsk(t *testing.T) {
	h := newHouse(t, func(s *settings.Settings) { s.Server.AllowedOrigins = []string{"http://localhost:3000"} })
	origin := header("Origin", "http://localhost:3000")
	const asked = "authorization,content-type,x-stainless-os" // as OpenAI's SDK in a browser
	preflight := h.request("OPTIONS", "/v1/chat/completions", "", origin, header("Access-Control-Request-Method", "POST"), header("Access-Control-Request-Headers", asked))
	if got := preflight.Header; preflight.StatusCode != http.StatusNoContent ||
		got.Get("Access-Control-Allow-Origin") != "http://localhost:3000" || got.Get("Access-Control-Allow-Headers") != asked {
		t.Errorf("preflight: %d %v", preflight.StatusCode, got)
	}
	answer := h.request("POST", "/v1/chat/completions", chat("ok", false), origin)
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Access-Control-Allow-Origin") != "http://localhost:3000" {
		t.Errorf("answer: %d %v", answer.StatusCode, answer.Header)
	}
	own := h.request("GET", "/v1/models", "", header("Origin", h.url))
	if own.StatusCode != http.StatusOK || own.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("own page: %d %v", own.StatusCode, own.Header)
	}
}

func TestTheTypeOfAProblemLeadsSomewhere(t *testing.T) {
	h := newHouse(t, nil)
	doc := readProblem(t, h.request("GET", "/nope", ""))
	resp := h.request("GET", doc.Type, "")
	if body := readBody(t, resp); resp.StatusCode != http.StatusOK || !strings.Contains(body, doc.Title) {
		t.Errorf("%s: %d %q", doc.Type, resp.StatusCode, body)
	}
}
