package gateway_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"mlxbar/backend/activity"
	"mlxbar/backend/audit"
	"mlxbar/backend/engine"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/settings"
	"mlxbar/backend/testkit/upstream"
)

// routed is a house in which the model "any" goes to targets.
func routed(t *testing.T, targets ...settings.Target) *house {
	return newHouse(t, func(s *settings.Settings) {
		s.Providers = append(s.Providers, settings.Provider{Name: "gone", Kind: settings.KindOpenAI, BaseURL: "http://127.0.0.1:9/v1"})
		s.Routes = []settings.Route{{Model: "any", Targets: targets}}
		if slices.Contains(targets, here("slow-first=20s")) {
			s.Timeouts.FirstToken = settings.Duration(2 * time.Second) // in which those that answer do so on a busy machine too
		}
	})
}

func far(model string) settings.Target { return settings.Target{Provider: "far", Model: model} }
func here(model string) settings.Target {
	return settings.Target{Provider: settings.LocalProvider, Model: model}
}

var gone = settings.Target{Provider: "gone"}

// asked are the models that the upstream was asked for, in order.
func (h *house) asked() (all []string) {
	for _, r := range h.upstream.Requests() {
		all = append(all, r.Model)
	}
	return all
}

func TestAnotherTargetAnswersForOneThatFails(t *testing.T) {
	for _, c := range []struct {
		name    string
		targets []settings.Target
		stream  bool
		load    error // of the engine
		failed  string
		backend audit.Backend
		asked   []string
	}{
		{"the first one answers", []settings.Target{far("ok"), here("ok")}, false, nil, "", audit.OpenAI, []string{"ok"}},
		{"cloud to local after a 500", []settings.Target{far("status-500"), here("ok")}, false, nil, "far=upstream-failed", audit.Local, []string{"status-500", "ok"}},
		{"and as a stream", []settings.Target{far("status-503"), here("ok")}, true, nil, "far=upstream-failed", audit.Local, []string{"status-503", "ok"}},
		{"local to cloud after a load that failed", []settings.Target{here("ok"), far("ok")}, false, &engine.LoadError{Model: "ok", Reason: "no memory"}, "local=engine-unavailable", audit.OpenAI, []string{"ok"}},
		{"a model that is not here", []settings.Target{here("unknown"), far("ok")}, true, nil, "local=model-not-found", audit.OpenAI, []string{"ok"}},
		{"a rate limit", []settings.Target{far("status-429"), here("ok")}, true, nil, "far=rate-limited", audit.Local, []string{"status-429", "ok"}},
		{"nobody at the address", []settings.Target{gone, far("ok")}, false, nil, "gone=upstream-unreachable", audit.OpenAI, []string{"ok"}},
		{"no first token in time", []settings.Target{here("slow-first=20s"), far("ok")}, true, nil, "local=first-token-timeout", audit.OpenAI, []string{"slow-first=20s", "ok"}},
		{"a connection that breaks before the answer", []settings.Target{far("cut-headers"), here("ok")}, false, nil, "far=upstream-cut", audit.Local, []string{"cut-headers", "ok"}},
		{"a web page for an answer", []settings.Target{far("html"), here("ok")}, false, nil, "far=upstream-malformed", audit.Local, []string{"html", "ok"}},
		{"a refused key", []settings.Target{far("status-401"), here("ok")}, false, nil, "far=upstream-key", audit.Local, []string{"status-401", "ok"}},
		{"a model that a provider does not have", []settings.Target{far("status-404"), here("ok")}, true, nil, "far=model-not-found", audit.Local, []string{"status-404", "ok"}},
		{"two that fail", []settings.Target{far("status-500"), gone, here("ok")}, true, nil, "far=upstream-failed, gone=upstream-unreachable", audit.Local, []string{"status-500", "ok"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := routed(t, c.targets...)
			h.engines.err = c.load
			resp := h.request("POST", "/v1/chat/completions", chat("any", c.stream))
			body := readBody(t, resp)
			if resp.StatusCode != http.StatusOK || !strings.Contains(body, upstream.Marker) || c.stream && !strings.Contains(body, "[DONE]") {
				t.Fatalf("%d %s", resp.StatusCode, body)
			}
			attempts := int64(1)
			if c.failed != "" {
				attempts += int64(strings.Count(c.failed, "="))
			}
			rec := h.only()
			if rec.Status != audit.Success || rec.Backend != c.backend || rec.Attempts != attempts || rec.Model != "any" || rec.ServedModel != "ok" || rec.ErrorType != "" {
				t.Errorf("record %+v", rec)
			}
			head := resp.Header
			if head.Get("X-Mlxbar-Failed") != c.failed || head.Get("X-Mlxbar-Backend") != string(c.backend) || head.Get("X-Mlxbar-Model") != "ok" ||
				head.Get("X-Mlxbar-Provider") != rec.Provider || head.Get("X-Mlxbar-Attempts") != string(rune('0'+attempts)) {
				t.Errorf("the answer's head says %v", head)
			}
			if got := h.asked(); !slices.Equal(got, c.asked) {
				t.Errorf("the upstream was asked for %q, want %q", got, c.asked)
			}
		})
	}
}

// One that hangs leaves the others their share of the time.
func TestATargetThatHangsLeavesTimeForTheOthers(t *testing.T) {
	for name, first := range map[string]settings.Target{"a provider": far("hang"), "an engine": here("hang"), "after the answer's head": far("slow-idle=50s")} {
		t.Run(name, func(t *testing.T) {
			h := routed(t, first, here("hang=50s"), far("ok"))
			s := *h.settings.Load()
			s.Timeouts.Chat = settings.Duration(6 * time.Second)
			h.settings.Store(&s)
			resp := h.request("POST", "/v1/chat/completions", chat("any", false))
			if body := readBody(t, resp); resp.StatusCode != http.StatusOK || resp.Header.Get("X-Mlxbar-Failed") != first.Provider+"=answer-timeout, local=answer-timeout" {
				t.Fatalf("%d %s %v", resp.StatusCode, body, resp.Header)
			}
			if rec := h.only(); rec.Status != audit.Success || rec.Attempts != 3 || rec.Provider != "far" {
				t.Errorf("record %+v", rec)
			}
		})
	}
}

// Which account a client has with one provider is not told to another; what it wants of the protocol is.
func TestAnAccountIsNamedToTheFirstProviderOnly(t *testing.T) {
	h := routed(t, far("status-500"), settings.Target{Provider: "spare", Model: "ok"})
	s := *h.settings.Load()
	s.Providers = append(slices.Clone(s.Providers), settings.Provider{Name: "spare", Kind: settings.KindOpenAI, BaseURL: h.upstream.URL})
	h.settings.Store(&s)
	resp := h.request("POST", "/v1/chat/completions", chat("any", false),
		header("OpenAI-Organization", "org-mine"), header("OpenAI-Project", "proj-mine"), header("OpenAI-Beta", "tomorrow"))
	if readBody(t, resp); resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
	for i, want := range []string{"org-mine proj-mine tomorrow", "  tomorrow"} {
		got := h.upstream.Requests()[i].Header
		if said := got.Get("Openai-Organization") + " " + got.Get("Openai-Project") + " " + got.Get("Openai-Beta"); said != want {
			t.Errorf("provider %d was told %q, want %q", i+1, said, want)
		}
	}
}

func TestNoOtherTargetIsAskedForWhatItCannotMend(t *testing.T) {
	for _, c := range []struct {
		name   string
		first  settings.Target
		stream bool
		kind   problem.Kind
	}{
		{"a request that is refused", far("status-422"), false, problem.UpstreamRefused},
		{"a stream that broke off when it had begun", far("cut"), true, problem.UpstreamCut},
		{"an error in mid-stream", far("error-event"), true, problem.UpstreamFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := routed(t, c.first, here("ok"))
			resp := h.request("POST", "/v1/chat/completions", chat("any", c.stream))
			if c.stream {
				if data, err := readEvents(resp); err == nil {
					t.Errorf("the stream ended cleanly: %q", data)
				}
			} else {
				readProblem(t, resp)
			}
			if rec := h.only(); rec.Status != audit.Failed || rec.ErrorType != string(c.kind) || rec.Attempts != 1 || rec.Backend != audit.OpenAI {
				t.Errorf("record %+v", rec)
			}
			if got := h.asked(); len(got) != 1 {
				t.Errorf("the upstream was asked for %q", got)
			}
		})
	}
}

func TestWhenAllFailTheLastOneTells(t *testing.T) {
	h := routed(t, far("status-500"), here("ok"))
	h.engines.err = &engine.LoadError{Model: "ok", Reason: "no memory"}
	resp := h.request("POST", "/v1/chat/completions", chat("any", false))
	doc := readProblem(t, resp)
	if doc.Status != http.StatusServiceUnavailable || !strings.Contains(doc.Detail, "no memory") || resp.Header.Get("X-Mlxbar-Failed") != "far=upstream-failed" {
		t.Errorf("%+v, %v", doc, resp.Header)
	}
	if rec := h.only(); rec.Attempts != 2 || rec.Status != audit.Failed || rec.ErrorType != string(problem.EngineUnavailable) {
		t.Errorf("record %+v", rec)
	}
	if n := strings.Count(h.log.String(), "no memory"); n != 1 {
		t.Errorf("the cause is logged %d times", n)
	}
}

// Nothing was sent where nobody took the connection, so it may be tried again.
func TestAnUnreachableTargetIsTriedAgain(t *testing.T) {
	h := routed(t, gone)
	resp := h.request("POST", "/v1/chat/completions", chat("any", true))
	if doc := readProblem(t, resp); doc.Status != http.StatusBadGateway {
		t.Errorf("%+v", doc)
	}
	if rec := h.only(); rec.Attempts != 3 || rec.ErrorType != string(problem.UpstreamUnreachable) {
		t.Errorf("record %+v", rec)
	}
}

func TestLocalOnlyRefusesWhatWouldLeave(t *testing.T) {
	h := newHouse(t, func(s *settings.Settings) {
		s.LocalOnly = true
		s.Providers = append(s.Providers, settings.Provider{Name: "cloud", Kind: settings.KindOpenAI, BaseURL: "https://cloud.example/v1"})
		s.Routes = []settings.Route{
			{Model: "cloud", Targets: []settings.Target{{Provider: "cloud"}}},
			{Model: "either", Targets: []settings.Target{{Provider: "cloud"}, here("ok")}},
			{Model: "near", Targets: []settings.Target{far("ok")}}, // which is on this machine
		}
	})
	resp := h.request("POST", "/v1/chat/completions", chat("cloud", false))
	if doc := readProblem(t, resp); doc.Status != http.StatusForbidden || doc.Type != "/problems/local-only" || !strings.Contains(doc.Detail, "provider cloud") {
		t.Errorf("%+v", doc)
	}
	if rec := h.only(); rec.Status != audit.Failed || rec.ErrorType != "local-only" || rec.Attempts != 0 {
		t.Errorf("record %+v", rec)
	}
	for model, backend := range map[string]string{"either": "LOCAL", "near": "OPENAI"} {
		resp := h.request("POST", "/v1/chat/completions", chat(model, false))
		if readBody(t, resp); resp.StatusCode != http.StatusOK || resp.Header.Get("X-Mlxbar-Backend") != backend {
			t.Errorf("%s: %d from %s", model, resp.StatusCode, resp.Header.Get("X-Mlxbar-Backend"))
		}
	}
}

func TestATargetThatFailsAgainAndAgainIsLeftAlone(t *testing.T) {
	h := routed(t, far("status-500"))
	for range 5 {
		readBody(t, h.request("POST", "/v1/chat/completions", chat("any", false)))
	}
	resp := h.request("POST", "/v1/chat/completions", chat("any", false))
	if doc := readProblem(t, resp); doc.Status != http.StatusServiceUnavailable || doc.Type != "/problems/circuit-open" || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%+v, %v", doc, resp.Header)
	}
	if got := h.asked(); len(got) != 5 {
		t.Errorf("the upstream was asked %d times", len(got))
	}
}

// What a provider does not have says nothing of how it fares.
func TestAModelThatIsNotThereOpensNoCircuit(t *testing.T) {
	h := routed(t, far("status-404"))
	for range 7 {
		if doc := readProblem(t, h.request("POST", "/v1/chat/completions", chat("any", false))); doc.Status != http.StatusNotFound || doc.Type != "/problems/model-not-found" {
			t.Errorf("%+v", doc)
		}
	}
}

// An engine that is the only way says itself what is wrong, each time.
func TestAnEngineThatIsTheOnlyWayIsAlwaysAsked(t *testing.T) {
	h := newHouse(t, nil)
	h.engines.err = &engine.LoadError{Model: "ok", Reason: "no memory"}
	for range 8 {
		if doc := readProblem(t, h.request("POST", "/v1/chat/completions", chat("ok", false))); !strings.Contains(doc.Detail, "no memory") {
			t.Errorf("%+v", doc)
		}
	}
}

func TestACancelledRequestAsksNobodyElse(t *testing.T) {
	h := routed(t, far("hang"), here("ok"))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.request("POST", "/v1/chat/completions", chat("any", false)).Body.Close()
	}()
	h.running(func(r activity.Running) bool { return len(h.upstream.Requests()) == 1 })
	h.cancel(h.requests.List()[0].RequestID)
	<-ended
	if rec := h.only(); rec.Status != audit.Cancelled || rec.Attempts != 1 {
		t.Errorf("record %+v", rec)
	}
	if got := h.asked(); !slices.Equal(got, []string{"hang"}) {
		t.Errorf("the upstream was asked for %q", got)
	}
}

// A target that had taken the prompt is not given it again because another one is busy.
func TestOnlyATargetThatCannotHaveBegunIsAskedAgain(t *testing.T) {
	h := routed(t, far("cut-headers"), gone)
	readProblem(t, h.request("POST", "/v1/chat/completions", chat("any", false)))
	if got := h.asked(); !slices.Equal(got, []string{"cut-headers"}) {
		t.Errorf("the upstream was asked for %q", got)
	}
	if rec := h.only(); rec.Attempts != 4 { // the first one, and three for the one that nobody reaches
		t.Errorf("record %+v", rec)
	}
}
