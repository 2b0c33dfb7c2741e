package gateway_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"mlxbar/backend/activity"
	"mlxbar/backend/audit"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/testkit"
)

// running waits until the only running request is as it should be.
func (h *house) running(is func(activity.Running) bool) activity.Running {
	h.t.Helper()
	var list []activity.Running
	for deadline := time.Now().Add(testkit.Patience); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if list = h.requests.List(); len(list) == 1 && is(list[0]) {
			return list[0]
		}
	}
	h.t.Fatalf("the running requests are %+v", list)
	return activity.Running{}
}

func (h *house) noneRuns() {
	h.t.Helper()
	for deadline := time.Now().Add(testkit.Patience); len(h.requests.List()) > 0; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("these still run: %+v", h.requests.List())
		}
	}
}

func (h *house) cancel(id string) {
	h.t.Helper()
	if !h.requests.Cancel(id, problem.New(problem.Cancelled, "The request was cancelled in mlxbar.")) {
		h.t.Fatalf("%s does not run: %+v", id, h.requests.List())
	}
}

func TestARunningStreamShowsHowFarItIs(t *testing.T) {
	h := newHouse(t, nil)
	resp := h.request("POST", "/v1/chat/completions", chat("slow-idle=60s", true), header("User-Agent", "Zed/0.212"))
	event := make([]byte, 4096)
	n, err := resp.Body.Read(event)
	if err != nil {
		t.Fatal(err)
	}
	r := h.running(func(r activity.Running) bool { return r.Tokens > 0 && r.Bytes >= int64(n) })
	if r.Phase != activity.Streaming || r.TTFTMS == nil || r.Model != "slow-idle=60s" || r.ServedModel != "slow-idle=60s" || r.Provider != "llamacpp" ||
		r.Backend != "LOCAL" || r.Client != "Zed/0.212" || !r.Stream || r.Endpoint != "/v1/chat/completions" || r.RequestID != resp.Header.Get("X-Request-ID") || r.ID == 0 {
		t.Errorf("it shows as %+v", r)
	}
	h.cancel(r.RequestID)
	h.noneRuns()
}

func TestTheTokensOfAnAnswerAreCounted(t *testing.T) {
	for name, c := range map[string]struct {
		model  string
		stream bool
	}{
		"a stream that tells its usage":     {"usage", true},
		"a stream that tells nothing":       {"ok", true},
		"an answer that is not streamed":    {"ok", false},
		"a stream with llama.cpp's timings": {"timings", true},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, nil)
			body := readBody(t, h.request("POST", "/v1/chat/completions", chat(c.model, c.stream)))
			want := int64(strings.Count(body, `"content":"`) - strings.Count(body, `"content":""`))
			if n := h.only().CompletionTokens; n != nil {
				want = *n
			}
			h.noneRuns()
			var requests, tokens int64
			for _, p := range h.requests.History(time.Now()) {
				requests, tokens = requests+p.Requests, tokens+p.Tokens
			}
			if requests != 1 || tokens != want || want == 0 {
				t.Errorf("%d requests and %d tokens were counted, want 1 and %d", requests, tokens, want)
			}
		})
	}
}

func TestACancelledRequestEndsEverywhere(t *testing.T) {
	for name, model := range map[string]string{
		"before its answer": "hang", "in mid-stream": "slow-idle=60s",
	} {
		for _, stream := range []bool{true, false} {
			if model != "hang" && !stream {
				continue
			}
			t.Run(name, func(t *testing.T) {
				h := newHouse(t, nil)
				answered := make(chan *http.Response, 1)
				go func() { answered <- h.request("POST", "/v1/chat/completions", chat(model, stream)) }()
				begun := func(r activity.Running) bool { return r.Provider != "" && (model == "hang") == (r.Tokens == 0) }
				id := h.running(begun).RequestID
				for len(h.upstream.Requests()) == 0 && t.Context().Err() == nil {
					time.Sleep(2 * time.Millisecond)
				}
				h.cancel(id)
				testkit.Receive(t, h.upstream.Gone())
				resp := testkit.Receive(t, answered)
				if model == "hang" {
					if d := readProblem(t, resp); d.Type != "/problems/cancelled" || d.Status != 499 || d.Detail != "The request was cancelled in mlxbar." {
						t.Errorf("the client was told %+v", d)
					}
				} else {
					data, err := readEvents(resp)
					if err == nil {
						t.Error("the stream ended as if it were whole")
					}
					if d := parseProblem(t, data[len(data)-1]); d.Type != "/problems/cancelled" {
						t.Errorf("the stream's last event is %+v", d)
					}
				}
				rec := h.only()
				if rec.Status != audit.Cancelled || rec.ErrorType != "cancelled" || *rec.HTTPStatus != 499 || rec.TotalTokens != nil {
					t.Errorf("record %+v", rec)
				}
				if h.requests.Cancel(rec.RequestID, problem.New(problem.Cancelled, "")) {
					t.Error("it could be cancelled again")
				}
			})
		}
	}
}

// A client that stops reading blocks the gateway in a write, which no context ends.
func TestARequestWhoseClientDoesNotReadCanBeCancelled(t *testing.T) {
	h := newHouse(t, nil)
	resp := h.request("POST", "/v1/chat/completions", chat("ok-200000", true))
	r := h.running(func(r activity.Running) bool { return r.Tokens > 0 })
	last, same := int64(0), 0
	h.running(func(now activity.Running) bool { // until nothing more is taken from it
		if same++; now.Bytes != last {
			last, same = now.Bytes, 0
		}
		return same > 20
	})
	h.cancel(r.RequestID)
	if rec := h.only(); rec.Status != audit.Cancelled {
		t.Errorf("record %+v", rec)
	}
	resp.Body.Close()
}

func TestARefusedRequestDoesNotRun(t *testing.T) {
	h := newHouse(t, nil)
	h.request("POST", "/v1/chat/completions", `{"messages": 5}`)
	h.only()
	h.noneRuns()
}
