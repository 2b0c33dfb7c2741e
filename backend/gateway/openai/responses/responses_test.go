package responses

import (
	"strings"
	"testing"

	"mlxbar/backend/gateway/openai"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/turn"
)

func n(v *int64) int64 {
	if v == nil {
		return -1
	}
	return *v
}

func TestAPassedOnStreamIsObserved(t *testing.T) {
	var s Stream
	for i, c := range []struct {
		data string
		want openai.EventKind
	}{
		{`{"type":"response.created","response":{"usage":null}}`, openai.Other},
		{`{"type":"response.output_text.delta","sequence_number":4,"delta":"\"error\""}`, openai.Token},
		{`{"sequence_number":5,"type":"response.function_call_arguments.delta","delta":"x"}`, openai.Token},
		{`{"type":"response.output_text.done","text":"x"}`, openai.Other},
		{`{"type":"response.completed","response":{"usage":{"input_tokens":5,"input_tokens_details":{"cached_tokens":2},"output_tokens":7,"total_tokens":12}}}`, openai.Done},
	} {
		if got := s.Observe([]byte(c.data)); got != c.want {
			t.Errorf("event %d is %d, want %d", i, got, c.want)
		}
	}
	if n(s.Usage.Prompt) != 5 || n(s.Usage.Completion) != 7 || n(s.Usage.Total) != 12 || n(s.Usage.Cached) != 2 || s.Tokens != 2 || !s.Finished {
		t.Errorf("got %+v", s)
	}
	for data, want := range map[string]openai.EventKind{
		`{"type":"response.failed"}`: openai.Failure, `{"type":"error"}`: openai.Failure, `x`: openai.Malformed, `[]`: openai.Malformed, ``: openai.Malformed,
	} {
		if got := new(Stream).Observe([]byte(data)); got != want {
			t.Errorf("%q is %d, want %d", data, got, want)
		}
	}
	token := []byte(`{"type":"response.output_text.delta","delta":"x"}`)
	if allocs := testing.AllocsPerRun(100, func() { s.Observe(token) }); allocs > 0 {
		t.Errorf("a token in mid-stream allocates %g times", allocs)
	}
}

func TestUsageOfAPassedOnAnswer(t *testing.T) {
	u, ok := ParseAnswer([]byte(`{"usage":{"input_tokens":5,"output_tokens":7,"total_tokens":"12"}}`))
	if !ok || n(u.Prompt) != 5 || n(u.Completion) != 7 || u.Total != nil {
		t.Errorf("got %+v, %v", u, ok)
	}
	if _, ok := ParseAnswer([]byte(`[]`)); ok {
		t.Error("an array passed for an answer")
	}
}

func TestAReportedFailureKeepsNoSentence(t *testing.T) {
	for data, want := range map[string]problem.Kind{
		`{"type":"response.failed","response":{"error":{"code":"rate_limit_exceeded","message":"canary"}}}`:     problem.RateLimited,
		`{"type":"response.failed","response":{"error":{"code":"context_length_exceeded","message":"canary"}}}`: problem.ContextExceeded,
		`{"type":"error","code":"server_error","message":"canary"}`:                                             problem.UpstreamFailed,
		`{"type":"error"}`: problem.UpstreamFailed,
	} {
		if p := ParseReported("it", []byte(data)); p.Kind != want || strings.Contains(p.Error(), "canary") {
			t.Errorf("%s: %v", data, p)
		}
	}
}

func TestAFailedResponseSaysAKnownCode(t *testing.T) {
	for kind, want := range map[problem.Kind]string{
		problem.ContextExceeded: "context_length_exceeded", problem.RateLimited: "rate_limit_exceeded",
		problem.UpstreamRefused: "invalid_prompt", problem.UpstreamCut: "server_error",
	} {
		if got := errorCode(problem.New(kind, "x")); got != want {
			t.Errorf("%s is %s, want %s", kind, got, want)
		}
	}
}

func TestAdditionalToolsAndAllowedOnes(t *testing.T) {
	r, _, fault := DecodeRequest([]byte(`{"model":"m","input":[{"type":"additional_tools","role":"developer","tools":[{"type":"function","name":"late"}]},{"role":"user","content":"x"}],
		"tools":[{"type":"function","name":"a"},{"type":"namespace","name":"ns","tools":[{"type":"custom","name":"b"}]}],
		"tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"late"},{"type":"custom","name":"b"},{"type":"web_search"}]}}`))
	if fault != nil {
		t.Fatal(fault)
	}
	var names []string
	for _, tool := range r.Tools {
		names = append(names, tool.Namespace+"/"+tool.Name)
	}
	if got := strings.Join(names, " "); got != "/late ns/b" && got != "ns/b /late" || r.Choice.Mode != turn.Required || len(r.Notes) != 1 {
		t.Errorf("tools %s, choice %+v, notes %v", got, r.Choice, r.Notes)
	}
}
