package wire

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"
	"pgregory.net/rapid"
)

// anyJSON draws a value of JSON, nested to some depth, with blanks where there may be some.
func anyJSON(t *rapid.T, depth int) string {
	blank := rapid.SampledFrom([]string{"", "", " ", "\n\t", "\r\n "})
	pad := func(s string) string { return blank.Draw(t, "blank") + s + blank.Draw(t, "blank") }
	text := func() string {
		raw, _ := json.Marshal(rapid.OneOf(rapid.SampledFrom([]string{"", "a", "b", `\`, `"`, `\\"`, "{", "]", ",", "é\n"}), rapid.String()).Draw(t, "text"))
		return string(raw)
	}
	kind := 3
	if depth > 0 {
		kind = rapid.IntRange(0, 3).Draw(t, "kind")
	}
	var parts []string
	switch kind {
	case 0:
		for range rapid.IntRange(0, 4).Draw(t, "n") {
			parts = append(parts, pad(text())+":"+pad(anyJSON(t, depth-1)))
		}
		return "{" + pad(strings.Join(parts, ",")) + "}"
	case 1:
		for range rapid.IntRange(0, 4).Draw(t, "n") {
			parts = append(parts, pad(anyJSON(t, depth-1)))
		}
		return "[" + pad(strings.Join(parts, ",")) + "]"
	case 2:
		return text()
	}
	return rapid.SampledFrom([]string{"1", "-2.5e3", "true", "false", "null", `""`, "{}", "[]"}).Draw(t, "word")
}

// TestMembersAreWhatGJSONFinds compares the two for all that is JSON.
func TestMembersAreWhatGJSONFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := gjson.Parse(anyJSON(t, 3))
		var names, values, got []string
		var results []gjson.Result
		v.ForEach(func(key, e gjson.Result) bool {
			names, values, results = append(names, key.Str), append(values, strings.TrimSpace(e.Raw)), append(results, e)
			return true
		})
		if v.IsArray() {
			elements(v, func(raw string) bool { got = append(got, raw); return true })
		} else if v.IsObject() {
			for _, name := range names {
				if first := results[slices.Index(names, name)]; Get(v, name).String() != first.String() || Get(v, name).Type != first.Type {
					t.Fatalf("%s: %q is %s, not %s", v.Raw, name, Get(v, name).Raw, first.Raw)
				}
			}
			Members(v, func(key, raw string) bool { got = append(got, raw); return true })
		} else {
			values = nil
		}
		if diff := cmp.Diff(values, got); diff != "" {
			t.Fatalf("%s: %s", v.Raw, diff)
		}
	})
}

func TestMembersOfMembers(t *testing.T) {
	v := gjson.Parse(`{"a":{"b":[1],"c":{"d":"e\u0021"}},"a":1,"\u0061b":2,"n":null}`)
	for want, got := range map[string]gjson.Result{`e!`: Get(v, "a", "c", "d"), "[1]": Get(v, "a", "b"), "2": Get(v, "ab"), "": Get(v, "a", "x", "d")} {
		if got.String() != want {
			t.Errorf("%q, want %q", got.String(), want)
		}
	}
	if Get(v, "n").Type != gjson.Null || !Get(v, "n").Exists() || Get(v, "m").Exists() || Get(gjson.Parse(`["a"]`), "a").Exists() {
		t.Error("what is null, and what is not there, are the same")
	}
}

// FuzzScan holds that what is no JSON leads to nothing worse than a wrong answer.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{`{"a":1}`, `{"a"`, `{"a":`, `{"`, `["\`, `[1,,2]`, `{"a":"\"}`, `{"a":}`, `[}`, `{:}`, `{"a" 1}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v := gjson.Parse(s)
		Members(v, func(_, raw string) bool { value(raw); return true })
		elements(v, func(raw string) bool { value(raw); return true })
		Get(v, "a", "b")
	})
}
