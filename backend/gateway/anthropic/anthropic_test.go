package anthropic

import (
	"encoding/json"
	"strings"
	"testing"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/turn"
)

func TestARequestIsReadAsFarAsAGatewayMust(t *testing.T) {
	for body, want := range map[string]Request{
		`{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"x"}]}`:                                     {"m", false},
		`{"model":"m","max_tokens":0,"stream":true,"messages":[{"role":"user"}],"made_up":1,"made_up":2,"tools":[1]}`: {"m", true},
	} {
		if got, err := ParseRequest(Messages, []byte(body)); err != nil || got != want {
			t.Errorf("%s: %+v, %v", body, got, err)
		}
	}
	count := `{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true}`
	if got, err := ParseRequest(CountTokens, []byte(count)); err != nil || got != (Request{"m", false}) {
		t.Errorf("count: %+v, %v", got, err)
	}
}

func TestWhatIsWrongIsNamedAndNotQuoted(t *testing.T) {
	for body, places := range map[string]string{
		`{}`: "body.model body.messages body.max_tokens",
		`{"model":5,"messages":"canary","max_tokens":"canary","stream":"canary"}`:                  "body.model body.messages body.max_tokens body.stream",
		`{"model":"","messages":[],"max_tokens":1.5}`:                                              "body.model body.messages body.max_tokens",
		`{"model":"a","model":"b","max_tokens":null,"messages":["canary",{"content":"canary"}]}`:   "body.model body.max_tokens body.messages[0] body.messages[1].role",
		`{"model":"a\u0000","max_tokens":-1,"messages":[{"role":"user"}]}`:                         "body.model body.max_tokens",
		`{"model":"` + strings.Repeat("m", 300) + `","max_tokens":1,"messages":[{"role":"user"}]}`: "body.model",
	} {
		_, err := ParseRequest(Messages, []byte(body))
		if err == nil {
			t.Errorf("%s passed", body)
			continue
		}
		var got []string
		for _, f := range err.Fields {
			got = append(got, f.Location)
		}
		if strings.Join(got, " ") != places {
			t.Errorf("%s: %v, want %s", body, got, places)
		}
		if raw, _ := json.Marshal(err); strings.Contains(string(raw)+err.Error(), "canary") {
			t.Errorf("%s is quoted in %s", body, raw)
		}
	}
}

func n(v *int64) int64 {
	if v == nil {
		return -1
	}
	return *v
}

func TestUsageHoldsTheCache(t *testing.T) {
	u, ok := ParseAnswer([]byte(`{"usage":{"input_tokens":5,"cache_read_input_tokens":3,"cache_creation_input_tokens":2,"output_tokens":7}}`))
	if !ok || n(u.Prompt) != 10 || n(u.Completion) != 7 || n(u.Total) != 17 || n(u.Cached) != 3 {
		t.Errorf("%d %d %d %d, %v", n(u.Prompt), n(u.Completion), n(u.Total), n(u.Cached), ok)
	}
	if u, ok := ParseAnswer([]byte(`{"input_tokens":9}`)); !ok || n(u.Prompt) != 9 {
		t.Errorf("a count of tokens is %d, %v", n(u.Prompt), ok)
	}
	if u, ok := ParseAnswer([]byte(`{"content":[]}`)); !ok || u.Prompt != nil {
		t.Errorf("no usage is %+v, %v", u, ok)
	}
	for _, body := range []string{``, `[]`, `<html>`, `{`} {
		if _, ok := ParseAnswer([]byte(body)); ok {
			t.Errorf("%q passed for an answer", body)
		}
	}
}

func TestAStreamIsObserved(t *testing.T) {
	var s Stream
	for i, c := range []struct {
		data string
		want EventKind
	}{
		{`{"type":"message_start","message":{"usage":{"input_tokens":5,"cache_read_input_tokens":3,"output_tokens":1}}}`, Other},
		{`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`, Other},
		{`{"type":"ping"}`, Ping},
		{`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\"error\""}}`, Token},
		{` { "index":0, "type":"content_block_delta","delta":{}}`, Token},
		{`{"type":"content_block_stop","index":0}`, Other},
		{`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}}`, Other},
		{`{"type":"message_stop"}`, Done},
	} {
		if got := s.Observe([]byte(c.data)); got != c.want {
			t.Errorf("event %d is %d, want %d", i, got, c.want)
		}
	}
	if u := s.Usage(); n(u.Prompt) != 8 || n(u.Completion) != 7 || n(u.Total) != 15 || n(u.Cached) != 3 || !s.Finished || s.Tokens != 2 {
		t.Errorf("usage %d %d %d, finished %v, %d tokens", n(u.Prompt), n(u.Completion), n(u.Cached), s.Finished, s.Tokens)
	}
	for data, want := range map[string]EventKind{`{"type":"error","error":{}}`: Failure, `nonsense`: Malformed, `[1]`: Malformed, ``: Malformed} {
		if got := new(Stream).Observe([]byte(data)); got != want {
			t.Errorf("%q is %d, want %d", data, got, want)
		}
	}
	if new(Stream).Observe(nil) != Ping {
		t.Error("a comment is something else than a ping")
	}
	token := []byte(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}}`)
	if allocs := testing.AllocsPerRun(100, func() { s.Observe(token) }); allocs > 0 {
		t.Errorf("a token in mid-stream allocates %g times", allocs)
	}
}

func TestAFailureKeepsNamesAndNoSentences(t *testing.T) {
	body := func(kind, message string) []byte {
		raw, _ := json.Marshal(map[string]any{"type": "error", "error": map[string]any{"type": kind, "message": message}})
		return raw
	}
	for _, c := range []struct {
		status        int
		kind, message string
		want          problem.Kind
		says, field   string
	}{
		{400, "invalid_request_error", "messages.2.content.0.type: canary", problem.UpstreamRefused, "(400, invalid_request_error)", "body.messages[2].content[0].type"},
		{400, "invalid_request_error", "canary.secret: x", problem.UpstreamRefused, "(400", ""},
		{400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum", problem.ContextExceeded, "210000 tokens, and the model's context holds 200000", ""},
		{400, "invalid_request_error", "input length and `max_tokens` exceed context limit: 199000 + 8192 > 200000, canary", problem.ContextExceeded, "8192", ""},
		{400, "a canary\n", "canary", problem.UpstreamRefused, "(400)", ""},
		{401, "authentication_error", "canary", problem.UpstreamKey, "refused the key", ""},
		{403, "permission_error", "canary", problem.UpstreamKey, "refused the key", ""},
		{404, "not_found_error", "model: canary", problem.ModelNotFound, "(404", ""},
		{404, "not_found_error", "canary", problem.UpstreamRefused, "(404", ""},
		{413, "request_too_large", "canary", problem.UpstreamRefused, "(413", ""},
		{429, "rate_limit_error", "canary", problem.RateLimited, "limits requests", ""},
		{500, "api_error", "canary", problem.UpstreamFailed, "failed", ""},
		{529, "overloaded_error", "canary", problem.UpstreamOverloaded, "overloaded", ""},
	} {
		p := ParseFailure("Provider far", c.status, body(c.kind, c.message))
		raw, _ := json.Marshal(p)
		if p.Kind != c.want || !strings.Contains(p.Detail, c.says) || strings.Contains(string(raw)+p.Error(), "canary") {
			t.Errorf("%d %s: %v, want %s with %q", c.status, c.message, p, c.want, c.says)
		}
		if field := ""; len(p.Fields) > 0 {
			if field = p.Fields[0].Location; field != c.field {
				t.Errorf("%s: field %s, want %s", c.message, field, c.field)
			}
		} else if c.field != "" {
			t.Errorf("%s: no field", c.message)
		}
	}
	for _, garbage := range []string{"", "<html>", "[]", `{"error":"canary"}`} {
		if p := ParseFailure("Provider far", 502, []byte(garbage)); p.Kind != problem.UpstreamFailed || strings.Contains(p.Error(), "canary") {
			t.Errorf("%q: %v", garbage, p)
		}
	}
	for kind, want := range map[string]problem.Kind{"rate_limit_error": problem.RateLimited, "overloaded_error": problem.UpstreamOverloaded, "api_error": problem.UpstreamFailed} {
		if p := ParseReported("Provider far", body(kind, "canary")); p.Kind != want || strings.Contains(p.Error(), "canary") {
			t.Errorf("%s: %v", kind, p)
		}
	}
}

// The SDKs choose their exception by the status; type says the same.
func TestEveryProblemHasAnthropicsType(t *testing.T) {
	for kind, want := range map[problem.Kind]string{
		problem.InvalidRequest: "invalid_request_error", problem.Unauthorized: "authentication_error", problem.ForeignOrigin: "permission_error",
		problem.ModelNotFound: "not_found_error", problem.BodyTooLarge: "request_too_large", problem.RateLimited: "rate_limit_error",
		problem.Internal: "api_error", problem.UpstreamOverloaded: "overloaded_error", problem.UpstreamCut: "api_error", problem.EngineUnavailable: "overloaded_error", problem.Timeout: "timeout_error",
		problem.ContextExceeded: "invalid_request_error",
	} {
		if got := problem.New(kind, "x").AnthropicType(); got != want {
			t.Errorf("%s is %s, want %s", kind, got, want)
		}
	}
	got := string(EncodeError(problem.New(problem.RateLimited, `slow "down"`), "r1"))
	if want := `{"type":"error","error":{"type":"rate_limit_error","message":"slow \"down\""},"request_id":"r1"}`; got != want {
		t.Errorf("got %s", got)
	}
}

func TestModelsAndCounts(t *testing.T) {
	got := string(EncodeModels([]Model{{ID: "a", Created: "2026-01-02T03:04:05Z"}, {ID: "b", Name: "B"}}))
	want := `{"data":[{"type":"model","id":"a","display_name":"a","created_at":"2026-01-02T03:04:05Z"},` +
		`{"type":"model","id":"b","display_name":"B","created_at":"1970-01-01T00:00:00Z"}],"has_more":false,"first_id":"a","last_id":"b"}`
	if got != want {
		t.Errorf("got %s", got)
	}
	if got := string(EncodeModels(nil)); got != `{"data":[],"has_more":false,"first_id":null,"last_id":null}` {
		t.Errorf("got %s", got)
	}
	if got := string(EncodeTokens(12)); got != `{"input_tokens":12}` {
		t.Errorf("got %s", got)
	}
	if got := string(EncodeModel(Model{ID: "a"})); !json.Valid([]byte(got)) {
		t.Errorf("got %s", got)
	}
}

func TestACountAsksForNoLimit(t *testing.T) {
	r, fault := DecodeCount([]byte(`{"model":"m","system":"s","messages":[{"role":"user","content":"x"}]}`))
	if fault != nil {
		t.Fatal(fault)
	}
	raw, _, fault := EncodeCount(r, turn.NewNames(r), Options{})
	if want := `{"model":"m","system":"s","messages":[{"role":"user","content":"x"}]}`; fault != nil || string(raw) != want {
		t.Errorf("got %s, %v", raw, fault)
	}
}

func TestAnAdaptiveModelTakesAnEffort(t *testing.T) {
	budget := int64(20000)
	for _, c := range []struct {
		reasoning turn.Reasoning
		says      string
		notes     int
	}{
		{turn.Reasoning{Effort: "minimal"}, `"thinking":{"type":"adaptive"},"max_tokens":64000`, 2},
		{turn.Reasoning{Effort: "max"}, `"output_config":{"effort":"max"}`, 1},
		{turn.Reasoning{Budget: &budget}, `"output_config":{"effort":"high"}`, 1},
		{turn.Reasoning{Effort: "none"}, `"thinking":{"type":"disabled"}`, 1},
	} {
		r := &turn.Request{Model: "m", Reasoning: c.reasoning, Messages: []turn.Message{{Blocks: []turn.Block{{Text: "x"}}}}}
		raw, notes, fault := EncodeRequest(r, turn.NewNames(r), Options{Adaptive: true, MaxTokens: 64000})
		if fault != nil || !strings.Contains(string(raw), c.says) || len(notes) != c.notes {
			t.Errorf("%+v: %s, %v, %v", c.reasoning, raw, notes, fault)
		}
	}
	r := &turn.Request{Model: "m", Reasoning: turn.Reasoning{Effort: "enormous", At: "reasoning_effort"}, Messages: []turn.Message{{Blocks: []turn.Block{{Text: "x"}}}}}
	for _, o := range []Options{{}, {Adaptive: true}} {
		if _, _, fault := EncodeRequest(r, turn.NewNames(r), o); fault == nil || fault.Fields[0].Location != "body.reasoning_effort" {
			t.Errorf("%v", fault)
		}
	}
}

// Anything but an order that Anthropic's documents have is a fault of the upstream.
func TestEventsOutOfOrderAreMalformed(t *testing.T) {
	const begin = `{"type":"message_start","message":{"id":"x","usage":{}}}`
	const open = `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`
	for i, events := range [][]string{
		{begin, begin}, {open}, {begin, open, open}, {begin, `{"type":"content_block_stop","index":0}`},
		{begin, open, `{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{}"}}`},
		{begin, open, `{"type":"message_delta","delta":{"stop_reason":"end_turn"}}`}, {begin, `{"type":"message_stop"}`},
		{begin, `{"type":"content_block_start","content_block":{"type":"tool_use","name":"f"}}`},
		{begin, `{"type":"content_block_start","content_block":{"type":"server_tool_use"}}`}, {`[]`}, {"{\"type\":\"\xff\"}"},
	} {
		d := NewDecoder("it")
		var fault *problem.Error
		for _, e := range events {
			if fault != nil {
				t.Fatalf("case %d failed early: %v", i, fault)
			}
			_, fault = d.Decode(nil, []byte(e))
		}
		if fault == nil || fault.Kind != problem.UpstreamMalformed {
			t.Errorf("case %d: %v", i, fault)
		}
	}
	d := NewDecoder("it")
	if events, fault := d.Decode(nil, []byte(`{"type":"what_is_to_come"}`)); len(events) > 0 || fault != nil {
		t.Errorf("an unknown event: %v, %v", events, fault)
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte(`{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"x"}],"stream":true}`))
	f.Add([]byte(`{"type":"error","error":{"type":"invalid_request_error","message":"messages.0.content: x"}}`))
	f.Add([]byte(`{"type":"message_start","message":{"usage":{"input_tokens":5}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := ParseRequest(Messages, body)
		if err == nil && (r.Model == "" || !json.Valid(body)) {
			t.Errorf("%q passed", body)
		}
		ParseAnswer(body)
		new(Stream).Observe(body)
		ParseFailure("it", 400, body)
	})
}
