package turn

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/wire"
)

func TestToolsComeBackUnderTheirOwnNames(t *testing.T) {
	long := strings.Repeat("n", 60)
	r := &Request{Tools: []Tool{
		{Namespace: "crm", Name: "find"}, {Name: "crm__find"}, {Namespace: "crm__find", Name: "2"}, {Name: "patch", Custom: true},
		{Namespace: long, Name: "a"}, {Namespace: long, Name: "b"},
	}}
	names := NewNames(r)
	if got := names.Flat("", "crm__find"); got != "crm__find" {
		t.Errorf("a plain function is called %s", got)
	}
	seen := map[string]bool{}
	for _, tool := range r.Tools {
		flat := names.Flat(tool.Namespace, tool.Name)
		if seen[flat] || len(flat) > longestName {
			t.Errorf("%+v is called %s, seen %v", tool, flat, seen[flat])
		}
		seen[flat] = true
		if diff := cmp.Diff(tool, names.Origin(flat)); diff != "" {
			t.Error(diff)
		}
	}
	if got := names.Origin("made_up"); got.Name != "made_up" || got.Custom {
		t.Errorf("a tool that the model made up is %+v", got)
	}
}

func TestACustomToolsInputComesBackAsItsText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		arguments := FunctionArguments(&Block{Custom: true, Arguments: text})
		if !json.Valid([]byte(arguments)) {
			t.Fatalf("no JSON: %s", arguments)
		}
		if got := CustomInput(arguments); got != text {
			t.Fatalf("%q came back as %q", text, got)
		}
	})
	if got := CustomInput(`{"other":1}`); got != `{"other":1}` {
		t.Errorf("arguments of another shape became %s", got)
	}
}

func TestSealedReasoningIsKnownAgain(t *testing.T) {
	for _, want := range []Block{{Kind: Thinking, Text: "t", Signature: "s"}, {Kind: Redacted, Signature: "d"}} {
		got, ok := Unseal(Seal(&want), want.Text)
		if !ok || cmp.Diff(want, got) != "" {
			t.Errorf("%+v came back as %+v, %v", want, got, ok)
		}
	}
	if b, ok := Unseal("gAAAA", "text"); ok || b.Signature != "" || b.Text != "text" {
		t.Errorf("another provider's reasoning is %+v, %v", b, ok)
	}
	if Seal(&Block{Kind: Thinking, Text: "t"}) != "" {
		t.Error("reasoning without a signature was sealed")
	}
}

func TestASchemaIsStrictOrNot(t *testing.T) {
	for schema, want := range map[string]bool{
		`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}`:                                              true,
		`{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}`:                                                               false,
		`{"type":"object","properties":{},"required":[]}`:                                                                                                   false,
		`{"type":"object","properties":{"a":{"type":"array","items":{"type":"object"}}},"required":["a"],"additionalProperties":false}`:                     false,
		`{"type":"object","properties":{"properties":{"type":"string","enum":[{"type":"object"}]}},"required":["properties"],"additionalProperties":false}`: true,
		`{"anyOf":[{"type":"string"},{"type":"object","properties":{}}]}`:                                                                                   false,
		`{"$defs":{"a":{"type":"object"}},"type":"object","properties":{},"additionalProperties":false}`:                                                    false,
	} {
		if got := Strict(schema); got != want {
			t.Errorf("%v for %s", got, schema)
		}
	}
}

func TestAddresses(t *testing.T) {
	for address, want := range map[string]Source{
		"https://example.com/a.png":             {URL: "https://example.com/a.png"},
		"data:image/PNG;base64,iVBO":            {MediaType: "image/png", Data: "iVBO"},
		"data:text/plain;charset=x;base64,YQ==": {MediaType: "text/plain", Data: "YQ=="},
	} {
		if got, wrong := ParseAddress(address); wrong != "" || got != want {
			t.Errorf("%s: %+v, %s", address, got, wrong)
		}
	}
	for _, address := range []string{"", "ftp://a", "file:///etc/passwd", "data:image/png,abc", "data:;base64,YQ==", "data:image/png;base64,", "data:image/png;base64,a b"} {
		if _, wrong := ParseAddress(address); wrong == "" {
			t.Errorf("%q passed", address)
		}
	}
}

func TestAHeaderNamesEachFieldOnceAndEnds(t *testing.T) {
	notes := []wire.Note{{Field: "seed"}, {Field: "tools[1]"}, {Field: "seed"}}
	if got := Header(notes); got != "seed, tools[1]" {
		t.Errorf("got %q", got)
	}
	for i := range 1000 {
		notes = append(notes, wire.Note{Field: wire.At("messages", i)})
	}
	if got := Header(notes); len(got) > 1100 || !strings.HasSuffix(got, ", and more") {
		t.Errorf("%d bytes: %.40s", len(got), got)
	}
}

func TestEffortsAndBudgets(t *testing.T) {
	for _, effort := range []string{"low", "medium", "high"} {
		budget, ok := BudgetOf(effort)
		if got := EffortOf(budget); !ok || got != effort {
			t.Errorf("%s is %d tokens, which is %s", effort, budget, got)
		}
	}
	if _, ok := BudgetOf("enormous"); ok {
		t.Error("an unknown effort has a budget")
	}
}

// ended is a decoder that fails, and an encoder that writes down what it hears.
type ended struct{ heard []EventKind }

func (e *ended) Decode(into []Event, data []byte) ([]Event, *problem.Error) {
	if string(data) == "bad" {
		return append(into, Event{Kind: Ping}), problem.New(problem.UpstreamMalformed, "x")
	}
	return append(into, Event{Kind: Done}), nil
}
func (e *ended) Close(into []Event) ([]Event, *problem.Error) { return e.Decode(into, []byte("bad")) }
func (e *ended) Encode(dst []byte, ev *Event) []byte {
	e.heard = append(e.heard, ev.Kind)
	return append(dst, 'e')
}
func (e *ended) Fail(dst []byte, _ *problem.Error, _ string) []byte { return append(dst, "failed"...) }

func TestAConverterStopsAtAFailureAndAtTheEnd(t *testing.T) {
	failing := &ended{}
	c := NewConverter(failing, failing)
	if out, fault := c.Feed(nil, nil); len(out) > 0 || fault != nil {
		t.Error("a comment became something")
	}
	out, fault := c.Feed(nil, []byte("bad"))
	if string(out) != "e" || fault == nil {
		t.Errorf("what came before the failure is lost: %s, %v", out, fault)
	}
	if out, again := c.Feed(nil, []byte("good")); len(out) > 0 || again != fault || c.Done() {
		t.Error("it went on after a failure")
	}
	if out := c.Fail(nil, fault, "r"); string(out) != "failed" {
		t.Errorf("got %s", out)
	}
	whole := &ended{}
	c = NewConverter(whole, whole)
	c.Feed(nil, []byte("good"))
	for _, f := range []func() ([]byte, *problem.Error){
		func() ([]byte, *problem.Error) { return c.Feed(nil, []byte("bad")) },
		func() ([]byte, *problem.Error) { return c.Close(nil) },
		func() ([]byte, *problem.Error) { return c.Fail(nil, fault, "r"), nil },
	} {
		if out, fault := f(); len(out) > 0 || fault != nil || !c.Done() {
			t.Errorf("%s, %v after the end", out, fault)
		}
	}
}
