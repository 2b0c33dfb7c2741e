package anthropic

import (
	"strings"
	"testing"

	"mlxbar/backend/gateway/turn"
)

func TestTheCallsOfAPassedOnStreamAreFollowed(t *testing.T) {
	begin := func(index, id string) string {
		return `{"type":"content_block_start","index":` + index + `,"content_block":{"type":"tool_use","id":"` + id + `","name":"f","input":{}}}`
	}
	more := func(index, piece string) string {
		return `{"type":"content_block_delta","index":` + index + `,"delta":{"type":"input_json_delta","partial_json":"` + piece + `"}}`
	}
	end := func(reason string) string {
		return `{"type":"message_delta","delta":{"stop_reason":"` + reason + `"},"usage":{"output_tokens":5}}`
	}
	const text = `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\"input_json_delta\""}}`
	const hosted = `{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"a","name":"web_search","input":{}}}`
	for name, c := range map[string]struct {
		events []string
		wrong  string // with the last event
	}{
		"as it should be":           {[]string{text, begin("1", "a"), more("1", `{\"x`), more("1", `\":1}`), text, begin("2", "b"), more("2", "{}"), end("tool_use")}, ""},
		"without arguments":         {[]string{begin("0", "a"), more("0", ""), end("tool_use")}, ""},
		"twins":                     {[]string{begin("0", "a"), more("0", "{}"), begin("1", "a")}, "one id"},
		"no JSON":                   {[]string{begin("0", "a"), more("0", "{canary"), more("0", "}"), end("tool_use")}, "no JSON object"},
		"no JSON, in other letters": {[]string{begin("0", "a"), strings.Replace(more("0", "{"), `{"type":`, `{ "type" : `, 1), end("tool_use")}, "no JSON object"},
		"cut by the limit":          {[]string{begin("0", "a"), more("0", "{"), end("max_tokens")}, ""},
		"cut by the context":        {[]string{begin("0", "a"), more("0", "{"), end("model_context_window_exceeded")}, ""},
		"cut by a refusal":          {[]string{begin("0", "a"), more("0", "{"), end("refusal")}, ""},
		"a tool of the provider's":  {[]string{hosted, more("0", "{"), begin("1", "a"), more("1", "{}"), end("tool_use")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			calls := turn.Calls{Limit: 1 << 20}
			s := Stream{Calls: &calls}
			for i, data := range c.events {
				if got := s.Observe([]byte(data)); (got == Miscalled) != (c.wrong != "" && i == len(c.events)-1) {
					t.Fatalf("event %d is %d, %q", i, got, calls.Wrong)
				}
			}
			if (c.wrong == "") != (calls.Wrong == "") || !strings.Contains(calls.Wrong, c.wrong) {
				t.Errorf("%q, want %q", calls.Wrong, c.wrong)
			}
		})
	}
}

func TestTheCallsOfAWholeAnswerAreFollowed(t *testing.T) {
	one := func(id, input string) string {
		return `{"type":"tool_use","id":"` + id + `","name":"f","input":` + input + `}`
	}
	for name, c := range map[string]struct{ content, reason, wrong string }{
		"as it should be":          {`{"type":"text","text":"x"},` + one("a", `{"x":1}`) + "," + one("b", "{}"), "tool_use", ""},
		"twins":                    {one("a", "{}") + "," + one("a", "{}"), "tool_use", "one id"},
		"a text for an object":     {one("a", `"{canary}"`), "tool_use", "no JSON object"},
		"a list for an object":     {one("a", `[1]`), "tool_use", "no JSON object"},
		"cut by the limit":         {one("a", `"{"`), "max_tokens", ""},
		"a tool of the provider's": {`{"type":"server_tool_use","id":"a","name":"web_search","input":"x"},` + one("a", "{}"), "tool_use", ""},
	} {
		t.Run(name, func(t *testing.T) {
			calls := turn.Calls{Limit: 1 << 20}
			body := `{"type":"message","content":[` + c.content + `],"stop_reason":"` + c.reason + `"}`
			if ok := FollowAnswer(&calls, []byte(body)); ok != (c.wrong == "") || !strings.Contains(calls.Wrong, c.wrong) {
				t.Errorf("%v, %q; want %q", ok, calls.Wrong, c.wrong)
			}
		})
	}
}
