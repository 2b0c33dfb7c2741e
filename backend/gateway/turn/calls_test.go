package turn

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mlxbar/backend/gateway/wire"
)

// quoted is s as it stands between the quotes of a JSON string.
func quoted(s string) string {
	raw, _ := json.Marshal(s)
	return string(raw[1 : len(raw)-1])
}

func TestTheCallsOfAnAnswerAreFollowed(t *testing.T) {
	first, second := Part{Index: 0, Indexed: true, ID: "a", Named: true}, Part{Index: 1, Indexed: true, ID: "b", Named: true}
	more := func(index int64, said string) Part {
		return Part{Index: index, Indexed: true, Arguments: quoted(said)}
	}
	with := func(p Part, change func(*Part)) Part { change(&p); return p }
	for name, c := range map[string]struct {
		parts []Part
		cut   bool
		wrong string
	}{
		"none":                                   {nil, false, ""},
		"two that interleave":                    {[]Part{first, second, more(0, `{"x"`), more(1, `{}`), more(0, `:1}`)}, false, ""},
		"without arguments":                      {[]Part{first, more(0, " ")}, false, ""},
		"no JSON":                                {[]Part{first, more(0, `{"x":canary}`)}, false, noObject},
		"half of them":                           {[]Part{first, more(0, `{"x":`)}, false, noObject},
		"half of them, of an answer that is so":  {[]Part{first, more(0, `{"x":`)}, true, ""},
		"no object":                              {[]Part{first, more(0, `[1]`)}, false, noObject},
		"too deep":                               {[]Part{first, more(0, `{"x":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+"}")}, false, noObject},
		"one id twice":                           {[]Part{first, with(second, func(p *Part) { p.ID = "a" })}, false, sameID},
		"one id twice, of an answer that is cut": {[]Part{first, with(second, func(p *Part) { p.ID = "a" })}, true, sameID},
		"one id in two choices":                  {[]Part{first, with(first, func(p *Part) { p.Choice = 1 })}, false, ""},
		"a choice whose second call is wrong":    {[]Part{first, with(first, func(p *Part) { p.Choice, p.Arguments = 1, "{" })}, false, noObject},
		"the id with each part":                  {[]Part{first, with(first, func(p *Part) { p.Arguments = "{" }), with(first, func(p *Part) { p.Arguments = "}" })}, false, ""},
		"two beginnings of one index and id":     {[]Part{with(first, func(p *Part) { p.New = true }), with(first, func(p *Part) { p.New = true })}, false, sameID},
		"free text":                              {[]Part{with(first, func(p *Part) { p.Free, p.Arguments = true, "no JSON" })}, false, ""},
		"said once more as a whole":              {[]Part{first, more(0, `{"x"`), with(first, func(p *Part) { p.Whole, p.Arguments = true, "{}" })}, false, ""},
		// As servers do that are not quite of the protocol, and that clients get along with.
		"all numbered 0":           {[]Part{with(first, func(p *Part) { p.Arguments = "{}" }), with(second, func(p *Part) { p.Index, p.Arguments = 0, "{}" })}, false, ""},
		"all numbered 0, no ids":   {[]Part{with(first, func(p *Part) { p.ID, p.Arguments = "", "{}" }), with(first, func(p *Part) { p.ID, p.Arguments = "", "{}" })}, false, ""},
		"another id for each part": {[]Part{with(first, func(p *Part) { p.Arguments = "{" }), {Indexed: true, ID: "b", Arguments: "}"}}, false, ""},
		"no numbers":               {[]Part{{ID: "a", Named: true, Arguments: "{"}, {Arguments: "}"}, {ID: "b", Named: true, Arguments: "{}"}}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			calls := Calls{Limit: 1 << 20}
			ok := true
			for _, p := range c.parts {
				ok = ok && calls.Take(p)
			}
			if waits := calls.Any(); waits != (len(c.parts) > 0) {
				t.Errorf("a call waits: %v", waits)
			}
			if ok = calls.EndAll(c.cut) && ok; ok != (c.wrong == "") || calls.Wrong != c.wrong || calls.Any() {
				t.Errorf("%v, %q; want %q", ok, calls.Wrong, c.wrong)
			}
		})
	}
}

func TestNoMoreOfACallIsKeptThanTheLimit(t *testing.T) {
	calls := Calls{Limit: 1 << 20}
	part := Part{Indexed: true, ID: "a", Arguments: strings.Repeat("x", 1<<16)}
	n := 0
	for calls.Take(part) {
		n++
	}
	if n >= 16 || !strings.Contains(calls.Wrong, "1 MiB") {
		t.Errorf("%d parts, then %q", n, calls.Wrong)
	}
	many := Calls{Limit: 1 << 16} // a call without arguments takes some, too
	for n = 0; many.Take(Part{New: true}); n++ {
		if n > 1<<16 {
			t.Fatal("there is no limit to calls")
		}
	}
}

// However arguments are cut into pieces, and whatever comes between them, the verdict is that on the whole.
func TestPiecesGiveTheVerdictOfTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.OneOf(
			rapid.String(),
			rapid.SampledFrom([]string{``, ` `, `{}`, `{"a":"ä\ud83c\udf6c\n"}`, `{"a":[1,{"b":null}]}`, `{"a":1}x`, `{"a":`, `[]`, `null`, `"x"`, ` {"a" : 1} `}),
		), 1, 4).Draw(t, "arguments")
		cut := rapid.Bool().Draw(t, "cut")
		once, pieces := Calls{Limit: 1 << 20}, Calls{Limit: 1 << 20}
		want := true
		type rest struct {
			index int
			runes []rune
		}
		var left []rest
		for i, s := range texts {
			s = strings.ToValidUTF8(s, "?")
			want = want && (cut || strings.TrimSpace(wire.Unescape([]byte(quoted(s)))) == "" || IsObject(s))
			once.Take(Part{Index: int64(i), Indexed: true, ID: string(rune('a' + i)), Arguments: quoted(s)})
			pieces.Take(Part{Index: int64(i), Indexed: true, ID: string(rune('a' + i)), Named: true})
			left = append(left, rest{i, []rune(s)})
		}
		for len(left) > 0 {
			k := rapid.IntRange(0, len(left)-1).Draw(t, "call")
			n := rapid.IntRange(0, len(left[k].runes)).Draw(t, "runes")
			pieces.Take(Part{Index: int64(left[k].index), Indexed: true, Arguments: quoted(string(left[k].runes[:n]))})
			if left[k].runes = left[k].runes[n:]; len(left[k].runes) == 0 {
				left = append(left[:k], left[k+1:]...)
			}
		}
		if a, b := once.EndAll(cut), pieces.EndAll(cut); a != want || b != want || once.Wrong != pieces.Wrong {
			t.Fatalf("whole %v %q, in pieces %v %q, want %v", a, once.Wrong, b, pieces.Wrong, want)
		}
	})
}
