package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/testkit/upstream"
)

// engineRow is a question to the real engine.
type engineRow struct {
	name     string
	question question
	check    func(x *asked) bool
	problem  problem.Kind
}

var engineRows = []engineRow{
	{name: "plain", question: question{Limit: 6}, check: speaks},
	{name: "plain, streamed", question: question{Limit: 6, Stream: true}, check: speaks},
	{name: "schema", question: question{Schema: true, Limit: 60, Stream: true}, check: inForm},
	{name: "image", question: question{Image: true, Limit: 12}, check: raises(400), problem: problem.UpstreamRefused},
	{name: "too long", question: question{Prompt: strings.Repeat("word ", 9000), Limit: 12}, check: raises(400), problem: problem.ContextExceeded},
	{name: "too large", question: question{Prompt: strings.Repeat("word ", 300000), Limit: 12}, check: raises(413), problem: problem.BodyTooLarge},
	{name: "no such model", question: question{Model: "no-such-model", Limit: 12}, check: raises(404), problem: problem.ModelNotFound},
	{name: "a model that cannot be loaded", question: question{Model: "broken", Limit: 12}, check: raises(503), problem: problem.EngineUnavailable},
	{name: "leaving", question: question{Prompt: "Tell a very long story of a ship, in many chapters.", LeaveAfter: 2, Limit: 4000, Stream: true}, check: leaves, problem: problem.Cancelled},
}

func inForm(x *asked) bool {
	return x.a.Error == nil && (x.a.Parsed == "Paris" || x.a.Parsed == upstream.Marker)
}

// speaks: llama.cpp begins a stream of Messages before it always knows how long the prompt is.
func speaks(x *asked) bool {
	told := x.a.Prompt > 0 || x.Stream && x.path == "/v1/messages"
	return x.a.Error == nil && strings.TrimSpace(x.a.Text) != "" && told && x.a.Completion > 0 && x.a.Completion <= 12
}

// settingRows are what settings bring about; each stays for those that follow.
var settingRows = []struct {
	name, set string
	provider  string
	question  question
	check     func(x *asked) bool
	problem   problem.Kind
}{
	{"no token in time", `{"timeouts":{"first_token":"1s"}}`, "far", question{Model: "slow-first=60s", Stream: true}, raises(504), problem.FirstToken},
	{"nothing may leave", `{"local_only":true}`, "away", question{Model: "ok"}, raises(403), problem.LocalOnly},
	{"a key that is none", `{"server":{"require_api_key":true}}`, "far", question{Model: "ok", Key: "sk-nobody"}, raises(401), problem.InvalidKey},
}

// refusesBySettings has every SDK raise its exceptions for what this server refuses, and for its own limits.
func (h *house) refusesBySettings(t *testing.T, all []sdk, want map[string]problem.Kind) {
	t.Helper()
	for _, r := range settingRows {
		h.api("PATCH", "/api/settings", r.set, nil)
		var asking sync.WaitGroup
		for _, s := range all {
			x := asked{sdk: s, question: r.question}
			x.ID, x.Model, x.Prompt, x.Limit = s.name+": "+r.name, r.provider+"/"+s.name+"/"+r.question.Model, "Say hello to "+h.secrets.prompt, 9
			want[x.ID] = r.problem
			asking.Go(func() {
				if x.a = s.ask(h, x.question); !r.check(&x) {
					t.Errorf("%s: %s", x.ID, &x)
				}
			})
		}
		asking.Wait()
	}
}

// isAnsweredByTheEngine asks one question after the other: the starter model needs the processor.
func (s sdk) isAnsweredByTheEngine(t *testing.T, h *house, n int, want map[string]problem.Kind) {
	t.Helper()
	for _, r := range engineRows {
		x := asked{sdk: s, provider: local, question: r.question}
		x.ID = fmt.Sprintf("%d: %s", n, r.name)
		if x.Model == "" {
			x.Model = local
		}
		if x.Prompt == "" {
			x.Prompt = "Name a city. " + h.secrets.prompt
		}
		x.Prompt = fmt.Sprint(n, ". ", x.Prompt) // or the engine would know it, and be quick
		want[x.ID] = r.problem

		if x.a = s.ask(h, x.question); !r.check(&x) {
			t.Errorf("the engine, %s: %s", r.name, &x)
		}
	}
}
