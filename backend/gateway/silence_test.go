package gateway_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"mlxbar/backend/audit"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/settings"
	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/upstream"
)

// patient is a house whose claude/… and far/… lead to a provider of each protocol, with limits of its own.
func patient(t *testing.T, change func(*settings.Timeouts)) *house {
	h := bilingual(t)
	s := *h.settings.Load()
	for _, script := range []string{"pings=20ms", "steps-6=400ms", "ok-2000"} {
		for _, provider := range []string{"far", "claude"} {
			s.Routes = append(s.Routes, settings.Route{Model: provider + "/" + script, Targets: []settings.Target{{Provider: provider, Model: script}}})
		}
	}
	change(&s.Timeouts)
	h.settings.Store(&s)
	return h
}

// eachWay has test run for streams that are passed on and for those that are converted.
func eachWay(t *testing.T, script string, test func(t *testing.T, path, model string)) {
	for _, path := range []string{chatPath, messagePath, responsePath} {
		for _, provider := range []string{"far", "claude"} {
			if path == responsePath && provider == "far" { // which has none
				continue
			}
			t.Run(path+" of "+provider, func(t *testing.T) { test(t, path, provider+"/"+script) })
		}
	}
}

// ends reads a stream that is cut, and holds its record to why.
func (h *house) ends(resp *http.Response, kind problem.Kind, says string) {
	h.t.Helper()
	data, err := readEvents(resp)
	if err == nil || !strings.Contains(strings.Join(data, "\n"), says) {
		h.t.Errorf("the stream ended with %v after %q, want a word of %s", err, data[max(0, len(data)-2):], says)
	}
	if rec := h.only(); rec.ErrorType != string(kind) {
		h.t.Errorf("record %+v", rec)
	}
}

// A server can say for ever that it is there.
func TestPingsAreSilence(t *testing.T) {
	eachWay(t, "pings=20ms", func(t *testing.T, path, model string) {
		h := patient(t, func(l *settings.Timeouts) { l.Idle = settings.Duration(300 * time.Millisecond) })
		h.ends(h.request("POST", path, asks(path, model, true)), problem.Timeout, "timeouts.idle")
		testkit.Receive(t, h.upstream.Gone())
	})
}

// What a provider does between two pieces of text, such as a search of its own, is no silence.
func TestEventsWithoutTextAreNoSilence(t *testing.T) {
	for _, c := range []struct{ path, model string }{{messagePath, "claude/steps-6=400ms"}, {chatPath, "far/steps-6=400ms"}} {
		h := patient(t, func(l *settings.Timeouts) { l.Idle = settings.Duration(2 * time.Second) })
		body := readBody(t, h.request("POST", c.path, asks(c.path, c.model, true)))
		if rec := h.only(); rec.Status != audit.Success || !strings.Contains(body, upstream.Marker) {
			t.Errorf("%s: record %+v, answer %s", c.path, rec, body)
		}
	}
}

func TestTheTotalHoldsForConvertedStreamsToo(t *testing.T) {
	eachWay(t, "pings=20ms", func(t *testing.T, path, model string) {
		h := patient(t, func(l *settings.Timeouts) { l.Chat = settings.Duration(2 * time.Second) })
		h.ends(h.request("POST", path, asks(path, model, true)), problem.Timeout, "timeouts.chat")
		testkit.Receive(t, h.upstream.Gone())
	})
}

// Of a stream that is passed on nothing is kept; one that is converted has an end.
func TestAConvertedStreamIsNotKeptWithoutBound(t *testing.T) {
	eachWay(t, "ok-2000", func(t *testing.T, path, model string) {
		h := patient(t, func(*settings.Timeouts) {})
		h.gateway.Convertible(64 << 10)
		resp := h.request("POST", path, asks(path, model, true))
		if path == chatPath && strings.HasPrefix(model, "far") || path == messagePath && strings.HasPrefix(model, "claude") {
			if readBody(t, resp); h.only().Status != audit.Success {
				t.Errorf("record %+v", h.only())
			}
			return
		}
		h.ends(resp, problem.UpstreamMalformed, "answered with more than")
	})
}
