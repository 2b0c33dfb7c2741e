package responses

import (
	"strings"
	"testing"

	"mlxbar/backend/gateway/openai"
	"mlxbar/backend/gateway/turn"
)

func functionCall(id, arguments, status string) string {
	return `{"type":"function_call","call_id":"` + id + `","name":"f","arguments":"` + arguments + `","status":"` + status + `"}`
}

const customCall = `{"type":"custom_tool_call","call_id":"c","name":"f","input":"no JSON"}`

func TestTheCallsOfAPassedOnStreamAreFollowed(t *testing.T) {
	event := func(what, index, item string) string {
		return `{"type":"response.output_item.` + what + `","output_index":` + index + `,"item":` + item + `}`
	}
	end := func(how string, output ...string) string {
		return `{"type":"response.` + how + `","response":{"status":"` + how + `","output":[` + strings.Join(output, ",") + `]}}`
	}
	empty, whole, broken := functionCall("a", "", "in_progress"), functionCall("a", "{}", "completed"), functionCall("a", "{canary", "completed")
	const delta = `{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{"}`
	for name, c := range map[string]struct {
		events []string
		wrong  string // with the last event
	}{
		"as it should be":            {[]string{event("added", "0", empty), delta, event("done", "0", whole), event("done", "1", customCall), end("completed", whole, customCall)}, ""},
		"without arguments":          {[]string{event("added", "0", empty), event("done", "0", empty), end("completed", empty)}, ""},
		"all of it at the beginning": {[]string{event("added", "0", whole), event("done", "0", whole), end("completed", whole)}, ""},
		"twins":                      {[]string{event("added", "0", empty), event("done", "0", whole), event("added", "1", empty)}, "one id"},
		"twins at the end alone":     {[]string{end("completed", whole, whole)}, "one id"},
		"no JSON":                    {[]string{event("added", "0", empty), event("done", "0", broken), end("completed")}, "no JSON object"},
		"no JSON at the end alone":   {[]string{end("completed", broken)}, "no JSON object"},
		"cut by the limit":           {[]string{event("added", "0", empty), event("done", "0", broken), end("incomplete", broken)}, ""},
		"an item that is cut":        {[]string{event("done", "0", functionCall("a", "{", "incomplete")), end("completed")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			calls := turn.Calls{Limit: 1 << 20}
			s := Stream{Calls: &calls}
			for i, data := range c.events {
				if got := s.Observe([]byte(data)); (got == openai.Miscalled) != (c.wrong != "" && i == len(c.events)-1) {
					t.Fatalf("event %d is %d, %q", i, got, calls.Wrong)
				}
			}
			if (c.wrong == "") != (calls.Wrong == "") || !strings.Contains(calls.Wrong, c.wrong) || s.Finished != (c.wrong == "") {
				t.Errorf("%q, want %q; finished %v", calls.Wrong, c.wrong, s.Finished)
			}
		})
	}
}

func TestTheCallsOfAWholeAnswerAreFollowed(t *testing.T) {
	whole := functionCall("a", `{\"x\":1}`, "completed")
	for name, c := range map[string]struct{ output, status, wrong string }{
		"as it should be":  {whole + "," + customCall + "," + functionCall("b", " ", "completed"), "completed", ""},
		"twins":            {whole + "," + whole, "completed", "one id"},
		"twins of a kind":  {whole + "," + strings.Replace(customCall, `"c"`, `"a"`, 1), "completed", "one id"},
		"no JSON":          {functionCall("a", "canary", "completed"), "completed", "no JSON object"},
		"cut by the limit": {functionCall("a", "{", "completed"), "incomplete", ""},
	} {
		t.Run(name, func(t *testing.T) {
			calls := turn.Calls{Limit: 1 << 20}
			body := `{"object":"response","status":"` + c.status + `","output":[` + c.output + `]}`
			if ok := FollowAnswer(&calls, []byte(body)); ok != (c.wrong == "") || !strings.Contains(calls.Wrong, c.wrong) {
				t.Errorf("%v, %q; want %q", ok, calls.Wrong, c.wrong)
			}
		})
	}
}
