package gateway_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"mlxbar/backend/audit"
	"mlxbar/backend/settings"
	"mlxbar/backend/testkit/upstream"
)

// shared is routed with so much time for all targets together, and more than that for a first token.
func shared(t *testing.T, total time.Duration, targets ...settings.Target) *house {
	h := routed(t, targets...)
	s := *h.settings.Load()
	s.Timeouts.Chat, s.Timeouts.FirstToken = settings.Duration(total), settings.Duration(time.Minute)
	h.settings.Store(&s)
	return h
}

// A stream that was begun and brings no token has its share of the time, as an answer in one piece has, whatever comes before
// the first token; a model that is being loaded as well.
func TestAStreamWithoutATokenLeavesTimeForTheOthers(t *testing.T) {
	for name, first := range map[string]settings.Target{
		"no head": far("hang"), "a head": far("slow-first=50s"), "a role": far("slow-content=50s"), "an engine": here("slow-content=50s"),
	} {
		t.Run(name, func(t *testing.T) {
			h := shared(t, 6*time.Second, first, here("hang=50s"), far("ok"))
			resp := h.request("POST", chatPath, chat("any", true))
			body := readBody(t, resp)
			if failed := resp.Header.Get("X-Mlxbar-Failed"); resp.StatusCode != http.StatusOK || failed != first.Provider+"=first-token-timeout, local=first-token-timeout" {
				t.Fatalf("%d %s, failed before: %q", resp.StatusCode, body, failed)
			}
			if roles := strings.Count(body, `"role"`); roles != 1 || !strings.HasSuffix(body, "[DONE]\n\n") {
				t.Errorf("the stream has %d beginnings: %s", roles, body)
			}
			if rec := h.only(); rec.Status != audit.Success || rec.Attempts != 3 || rec.Provider != "far" || rec.TTFTMS == nil {
				t.Errorf("record %+v", rec)
			}
		})
	}
}

// The share ends with the first token: a stream that is on its way has all of the time.
func TestAStreamOnItsWayHasMoreThanItsShare(t *testing.T) {
	h := shared(t, 4*time.Second, far("slow-idle=2500ms"), here("ok"))
	body := readBody(t, h.request("POST", chatPath, chat("any", true)))
	if rec := h.only(); rec.Status != audit.Success || rec.Attempts != 1 || !strings.Contains(body, "[DONE]") {
		t.Errorf("record %+v, answer %s", rec, body)
	}
}

// What fails between a stream's beginning and its first token has given the client nothing: another target answers.
func TestAStreamThatFailsBeforeItsFirstTokenIsAnsweredElsewhere(t *testing.T) {
	for script, kind := range map[string]string{"error-event-0": "upstream-failed", "cut-0": "upstream-cut", "cut-clean-0": "upstream-cut"} {
		for _, path := range []string{chatPath, messagePath} { // passed on, and converted
			t.Run(script+" "+path, func(t *testing.T) {
				h := shared(t, time.Minute, far(script), here("ok"))
				resp := h.request("POST", path, asks(path, "any", true))
				body := readBody(t, resp)
				if resp.StatusCode != http.StatusOK || resp.Header.Get("X-Mlxbar-Failed") != "far="+kind || !strings.Contains(body, upstream.Marker) || strings.Contains(body, "canary-prompt") {
					t.Errorf("%d %v %s", resp.StatusCode, resp.Header, body)
				}
				if rec := h.only(); rec.Status != audit.Success || rec.Attempts != 2 || rec.Backend != audit.Local {
					t.Errorf("record %+v", rec)
				}
			})
		}
	}
}

// What was kept back comes whole and in order, whether tokens follow or none does.
func TestAStreamThatWasKeptBackIsTheSame(t *testing.T) {
	for _, path := range []string{chatPath, messagePath} {
		for _, first := range []settings.Target{far("ok"), far("ok-0"), far("tools"), far("no-done"), far("comments"), far("crlf"), here("ok"), here("headless")} {
			if path == chatPath && first == here("headless") { // which is a way of Messages
				continue
			}
			t.Run(path+" "+first.Provider+" "+first.Model, func(t *testing.T) {
				var bodies []string
				for _, others := range [][]settings.Target{nil, {far("ok")}} {
					h := shared(t, time.Minute, append([]settings.Target{first}, others...)...)
					body := readBody(t, h.request("POST", path, asks(path, "any", true), header("X-Request-Id", "same")))
					if rec := h.only(); rec.Status != audit.Success || rec.Attempts != 1 || body == "" {
						t.Errorf("record %+v", rec)
					}
					bodies = append(bodies, body)
				}
				if bodies[0] != bodies[1] {
					t.Errorf("alone:\n%s\nwith another target:\n%s", bodies[0], bodies[1])
				}
			})
		}
	}
}
