package chat

import (
	"strings"
	"testing"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/turn"
)

// play gives what a stream means, in a line.
func play(t *testing.T, chunks ...string) (string, *problem.Error) {
	t.Helper()
	d := NewDecoder("it")
	var line []string
	for _, c := range chunks {
		events, fault := d.Decode(nil, []byte(c))
		for _, e := range events {
			switch e.Kind {
			case turn.BlockBegan:
				line = append(line, "("+e.ID+e.Name)
			case turn.Delta:
				line = append(line, e.Body)
			case turn.BlockEnded:
				line = append(line, ")")
			case turn.Done:
				line = append(line, "done")
			}
		}
		if fault != nil {
			return strings.Join(line, " "), fault
		}
	}
	return strings.Join(line, " "), nil
}

func delta(members, finish string) string {
	return `{"id":"a:1","choices":[{"index":0,"delta":{` + members + `},"finish_reason":` + finish + `}]}`
}

func part(members string) string { return delta(`"tool_calls":[{`+members+`}]`, "null") }

func TestTheWaysOfServersToStreamCalls(t *testing.T) {
	end := []string{delta("", `"tool_calls"`), "[DONE]"}
	for name, c := range map[string]struct {
		chunks []string
		want   string
	}{
		"id and name in every part": {
			[]string{part(`"index":0,"id":"c","function":{"name":"f","arguments":"{"}`), part(`"index":0,"id":"c","function":{"name":"f","arguments":"}"}`)},
			"(cf { } ) done",
		},
		"no ids":                     {[]string{part(`"index":0,"function":{"name":"f","arguments":"{}"}`), part(`"index":1,"function":{"name":"g","arguments":"{}"}`)}, "(call_a1_0f {} ) (call_a1_1g {} ) done"},
		"the name comes later":       {[]string{part(`"index":0,"id":"c"`), part(`"index":0,"function":{"name":"f"}`), part(`"index":0,"function":{"arguments":"{}"}`)}, "(cf {} ) done"},
		"blanks after the arguments": {[]string{part(`"index":0,"id":"c","function":{"name":"f","arguments":"{}"}`), part(`"index":1,"id":"d","function":{"name":"g"}`), part(`"index":0,"function":{"arguments":"\n"}`)}, "(cf {} ) (dg {} ) done"},
		"text between calls": {
			[]string{part(`"index":0,"id":"c","function":{"name":"f","arguments":"{}"}`), delta(`"content":"so"`, "null"), part(`"index":1,"id":"d","function":{"name":"g","arguments":"{}"}`)},
			"(cf {} ) ( so ) (dg {} ) done",
		},
		"text while a call is open": {
			[]string{part(`"index":0,"id":"c","function":{"name":"f","arguments":"{"}`), delta(`"content":"so"`, "null"), delta(`"content":"so"`, "null"), part(`"index":0,"function":{"arguments":"}"}`)},
			"(cf { } ) ( soso ) done",
		},
		"reasoning under two names": {[]string{delta(`"reasoning":"hm","reasoning_content":"hm"`, "null"), delta(`"content":"x"`, "null"), delta(`"reasoning":"hm"`, "null")}, "( hm ) ( x ) ( hm ) done"},
		"another choice":            {[]string{`{"choices":[{"index":1,"delta":{"content":"no"}}]}`, delta(`"content":"x"`, "null")}, "( x ) done"},
	} {
		got, fault := play(t, append(c.chunks, end...)...)
		if fault != nil || got != c.want {
			t.Errorf("%s: %s, %v; want %s", name, got, fault, c.want)
		}
	}
}

func TestWhatNoProtocolAllowsIsMalformed(t *testing.T) {
	whole := part(`"index":0,"id":"c","function":{"name":"f","arguments":"{}"}`)
	for name, chunks := range map[string][]string{
		"more after the end":     {delta("", `"stop"`), delta(`"content":"x"`, "null")},
		"a call after the end":   {delta("", `"stop"`), whole},
		"a call without a name":  {part(`"index":0,"id":"c"`), delta("", `"tool_calls"`)},
		"more of a closed call":  {whole, part(`"index":1,"id":"d","function":{"name":"g","arguments":"{"}`), part(`"index":0,"function":{"arguments":"x"}`)},
		"arguments of no JSON":   {part(`"index":0,"id":"c","function":{"name":"f","arguments":"{x"}`), delta("", `"stop"`)},
		"a second call, no JSON": {part(`"index":0,"id":"c","function":{"name":"f","arguments":"{"}`), part(`"index":1,"id":"d","function":{"name":"g","arguments":"{x"}`), part(`"index":0,"function":{"arguments":"}"}`), delta("", `"stop"`)},
		"no UTF-8":               {"{\"id\":\"\xff\"}"},
		"nesting":                {strings.Repeat("[", 1<<20)},
	} {
		if got, fault := play(t, chunks...); fault == nil || fault.Kind != problem.UpstreamMalformed {
			t.Errorf("%s: %s, %v", name, got, fault)
		}
	}
}

func TestAnUpstreamOfDocumentsOnlyGetsNothingElse(t *testing.T) {
	k := int64(3)
	r := &turn.Request{
		Model: "m", TopK: &k, MaxTokens: &k, Stop: []string{"1", "2", "3", "4"}, Reasoning: turn.Reasoning{Off: true, At: "thinking"},
		Messages: []turn.Message{{Blocks: []turn.Block{{Text: "x"}}}, {Role: turn.Assistant, Blocks: []turn.Block{{Kind: turn.Thinking, Text: "hm", At: "messages[1].content[0]"}}}},
	}
	raw, notes, fault := EncodeRequest(r, turn.NewNames(r), Options{})
	if want := `{"model":"m","messages":[{"role":"user","content":"x"}],"max_completion_tokens":3,"stop":["1","2","3","4"]}`; fault != nil || string(raw) != want {
		t.Errorf("got %s, %v", raw, fault)
	}
	if got := turn.Header(notes); got != "messages[1].content[0], top_k, thinking" {
		t.Errorf("notes %s", got)
	}
	r.Stop = append(r.Stop, "5")
	if _, _, fault := EncodeRequest(r, turn.NewNames(r), Options{}); fault == nil || fault.Fields[0].Location != "body.stop_sequences[4]" {
		t.Errorf("five stop sequences: %v", fault)
	}
}
