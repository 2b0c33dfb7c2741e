package convert

import (
	"encoding/json"
	"strings"
	"testing"

	"mlxbar/backend/gateway/turn"
)

// seeds are what goes in of the golden cases.
func seeds(f *testing.F, name string) {
	dirs := map[string]bool{}
	for _, pattern := range []string{"plain", "tools", "codex", "claude-code", "conversation", "refused", "interleaved-calls"} {
		dirs[pattern] = true
	}
	for d := range directions {
		for dir := range dirs {
			if raw, ok := read("testdata/" + d + "/" + dir + "/" + name); ok {
				f.Add(raw)
			}
		}
	}
}

// Whatever a client sends is refused with a field or a place, or becomes JSON.
func FuzzRequest(f *testing.F) {
	seeds(f, "request.in.json")
	f.Fuzz(func(t *testing.T, body []byte) {
		for name, d := range directions {
			c, fault := New(d[0], d[1], body, options(name))
			switch {
			case fault != nil && fault.Status() != 400:
				t.Errorf("%s: %v", name, fault)
			case fault == nil && !json.Valid(c.Body):
				t.Errorf("%s: no JSON: %s", name, c.Body)
			case fault == nil && strings.ContainsAny(turn.Header(c.Notes), "\r\n"):
				t.Errorf("%s: a header of two lines: %q", name, turn.Header(c.Notes))
			}
		}
	})
}

// Whatever an upstream answers becomes JSON, or is its failure.
func FuzzAnswer(f *testing.F) {
	seeds(f, "answer.in.json")
	all := conversions(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		for name, c := range all {
			out, fault := c.Answer(body)
			if fault != nil && fault.Status() < 400 || fault == nil && !json.Valid(out) {
				t.Errorf("%s: %v, %s", name, fault, out)
			}
		}
	})
}

// Whatever events an upstream sends, those that go out hold JSON, and an end stands
// only at the end.
func FuzzStream(f *testing.F) {
	seeds(f, "stream.in.sse")
	all := conversions(f)
	f.Fuzz(func(t *testing.T, stream []byte) {
		for name, c := range all {
			converter := c.NewStream()
			var out []byte
			for line := range strings.Lines(string(stream)) {
				data, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "data: ")
				if !ok {
					continue
				}
				var fault error
				if b, p := converter.Feed(out, []byte(data)); p != nil {
					out, fault = b, p
				} else {
					out = b
				}
				if fault != nil {
					break
				}
			}
			if b, p := converter.Close(out); p != nil {
				out = converter.Fail(b, p, "r")
			} else {
				out = b
			}
			checkEvents(t, name, string(out))
		}
	})
}

func checkEvents(t *testing.T, name, out string) {
	t.Helper()
	for event := range strings.SplitSeq(strings.TrimSuffix(out, "\n\n"), "\n\n") {
		lines := strings.Split(event, "\n")
		data, ok := strings.CutPrefix(lines[len(lines)-1], "data: ")
		if !ok || len(lines) > 2 || len(lines) == 2 && !strings.HasPrefix(lines[0], "event: ") {
			t.Fatalf("%s: no event: %q", name, event)
		}
		if data != "[DONE]" && !json.Valid([]byte(data)) {
			t.Fatalf("%s: no JSON: %s", name, data)
		}
	}
}

func conversions(f *testing.F) map[string]*Conversion {
	f.Helper()
	all := map[string]*Conversion{}
	for name, d := range directions {
		raw, ok := read("testdata/" + name + "/plain/request.in.json")
		if !ok {
			f.Fatalf("%s has no plain request", name)
		}
		c, fault := New(d[0], d[1], raw, options(name))
		if fault != nil {
			f.Fatal(fault)
		}
		all[name] = c
	}
	return all
}
