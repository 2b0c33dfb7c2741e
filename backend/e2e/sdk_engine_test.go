package e2e

import (
	"fmt"
	"strings"
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
	{name: "leaving", question: question{LeaveAfter: 2, Limit: 4000, Stream: true}, check: leaves, problem: problem.Cancelled},
}

func inForm(x *asked) bool {
	return x.a.Error == nil && (x.a.Parsed == "Paris" || x.a.Parsed == upstream.Marker)
}

// speaks: llama.cpp begins a stream of Messages before it always knows how long the prompt is.
func speaks(x *asked) bool {
	told := x.a.Prompt > 0 || x.Stream && x.path == "/v1/messages"
	return x.a.Error == nil && strings.TrimSpace(x.a.Text) != "" && told && x.a.Completion > 0 && x.a.Completion <= 12
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
