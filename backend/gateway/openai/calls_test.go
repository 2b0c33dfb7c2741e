package openai

import (
	"strings"
	"testing"

	"mlxbar/backend/gateway/turn"
)

// deltas makes chunks of choices.
func chunks(choices ...string) (events []string) {
	for _, c := range choices {
		events = append(events, `{"choices":[`+c+`]}`)
	}
	return append(events, "[DONE]")
}

func choice(index, delta, finish string) string {
	return `{"index":` + index + `,"delta":` + delta + `,"finish_reason":` + finish + `}`
}

func call(index, id, arguments string) string {
	return `{"content":"","tool_calls":[{"index":` + index + `,"id":"` + id + `","type":"function","function":{"name":"f","arguments":"` + arguments + `"}}]}`
}

const (
	more = `{"tool_calls":[{"index":0,"function":{"arguments":"\"x\":1}"}}]}`
	text = `{"content":"canary \"tool_calls\":[]","tool_calls":[]}`
)

func TestTheCallsOfAPassedOnStreamAreFollowed(t *testing.T) {
	for name, c := range map[string]struct {
		events []string
		wrong  string // with the event of that number, from the end
		at     int
	}{
		"as it should be":               {chunks(choice("0", text, "null"), choice("0", call("0", "a", "{"), "null"), choice("0", more, "null"), choice("0", `{}`, `"tool_calls"`)), "", 0},
		"in one event":                  {chunks(choice("0", call("0", "a", "{}"), `"tool_calls"`)), "", 0},
		"cut by the limit":              {chunks(choice("0", call("0", "a", "{"), "null"), choice("0", `{}`, `"length"`)), "", 0},
		"cut by a filter":               {chunks(choice("0", call("0", "a", "{"), "null"), choice("0", `{}`, `"content_filter"`)), "", 0},
		"no JSON":                       {chunks(choice("0", call("0", "a", "{"), "null"), choice("0", `{}`, `"tool_calls"`)), "no JSON object", 2},
		"no JSON, after a text":         {chunks(choice("0", text, "null"), choice("0", call("0", "a", "{"), `""`), choice("0", `{}`, `"stop"`)), "no JSON object", 2},
		"no JSON, and no reason":        {chunks(choice("0", call("0", "a", "{"), "null")), "no JSON object", 1},
		"twins":                         {chunks(choice("0", call("0", "a", "{}"), "null"), choice("0", call("1", "a", "{}"), "null"), choice("0", `{}`, `"tool_calls"`)), "one id", 3},
		"an id in two choices":          {chunks(choice("0", call("0", "a", "{}"), "null")+","+choice("1", call("0", "a", "{}"), "null"), choice("0", `{}`, `"stop"`), choice("1", `{}`, `"stop"`)), "", 0},
		"the second choice is wrong":    {chunks(choice("0", call("0", "a", "{}"), "null")+","+choice("1", call("0", "b", "{"), "null"), choice("0", `{}`, `"stop"`), choice("1", `{}`, `"stop"`)), "no JSON object", 2},
		"only the second choice's call": {chunks(choice("0", text, "null")+","+choice("1", call("0", "b", "{"), "null"), choice("0", `{}`, "null")+","+choice("1", `{}`, `"stop"`)), "no JSON object", 2},
		"a custom tool":                 {chunks(choice("0", `{"tool_calls":[{"index":0,"id":"a","type":"custom","custom":{"name":"f","input":"no JSON"}}]}`, "null"), choice("0", `{}`, `"tool_calls"`)), "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			calls := turn.Calls{Limit: 1 << 20}
			s := Stream{Calls: &calls}
			for i, data := range c.events {
				got := s.Observe([]byte(data))
				if wrong := c.wrong != "" && i == len(c.events)-c.at; wrong != (got == Miscalled) {
					t.Fatalf("event %d of %d is %d, %q", i, len(c.events), got, calls.Wrong)
				} else if wrong {
					break
				}
			}
			if (c.wrong == "") != (calls.Wrong == "") || !strings.Contains(calls.Wrong, c.wrong) {
				t.Errorf("%q, want %q", calls.Wrong, c.wrong)
			}
		})
	}
}

func TestTheCallsOfAWholeAnswerAreFollowed(t *testing.T) {
	one := func(id, arguments string) string {
		return `{"id":"` + id + `","type":"function","function":{"name":"f","arguments":"` + arguments + `"}}`
	}
	answer := func(finish string, calls ...string) string {
		return `{"index":0,"message":{"content":null,"tool_calls":[` + strings.Join(calls, ",") + `]},"finish_reason":"` + finish + `"}`
	}
	for name, c := range map[string]struct{ choices, wrong string }{
		"as it should be":       {answer("tool_calls", one("a", "{}"), one("b", `{\"x\":1}`), one("", ""), one("", "")), ""},
		"none":                  {answer("stop"), ""},
		"twins":                 {answer("tool_calls", one("a", "{}"), one("a", "{}")), "one id"},
		"no JSON":               {answer("tool_calls", one("a", "{canary}")), "no JSON object"},
		"cut by the limit":      {answer("length", one("a", "{")), ""},
		"an id in two choices":  {answer("stop", one("a", "{}")) + "," + strings.Replace(answer("stop", one("a", "{}")), `"index":0`, `"index":1`, 1), ""},
		"the second is wrong":   {answer("stop") + "," + strings.Replace(answer("stop", one("a", "{")), `"index":0`, `"index":1`, 1), "no JSON object"},
		"no reason of its end":  {strings.Replace(answer("stop", one("a", "{")), `"stop"`, `null`, 1), "no JSON object"},
		"a text that names one": {`{"index":0,"message":{"content":"\"tool_calls\":[{\"id\""},"finish_reason":"stop"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			calls := turn.Calls{Limit: 1 << 20}
			if ok := FollowAnswer(&calls, []byte(`{"choices":[`+c.choices+`]}`)); ok != (c.wrong == "") || !strings.Contains(calls.Wrong, c.wrong) {
				t.Errorf("%v, %q; want %q", ok, calls.Wrong, c.wrong)
			}
		})
	}
}
