package wire

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
	"pgregory.net/rapid"

	"mlxbar/backend/gateway/problem"
)

func TestAWriterPutsTheCommas(t *testing.T) {
	w := Writer{}
	w.Obj().Key("a").Int(1).Key("b").Arr().Str("x").Bool(true).Obj().EndObj().Float(0.5).EndArr()
	w.Key("c").Body(`\u00e9\n`).Key("d").Raw("").Key("e").Strs([]string{"y", "z"}).EndObj()
	if want := `{"a":1,"b":["x",true,{},0.5],"c":"\u00e9\n","d":null,"e":["y","z"]}`; string(w.B) != want {
		t.Errorf("got %s\nwant %s", w.B, want)
	}
	w = Writer{}
	w.Event("ping").Obj().EndObj().EndEvent().Event("").Raw("1").EndEvent()
	if want := "event: ping\ndata: {}\n\ndata: 1\n\n"; string(w.B) != want {
		t.Errorf("got %q", w.B)
	}
}

func TestAnyStringIsWrittenAsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		w := Writer{}
		var back string
		if err := json.Unmarshal(w.Str(s).B, &back); err != nil || back != s {
			t.Fatalf("%q came back as %q, %v", s, back, err)
		}
		if want := gjson.AppendJSONString(nil, s); string(w.B) != string(want) {
			t.Fatalf("%q is written as %s, and by gjson as %s", s, w.B, want)
		}
		body := Body(gjson.ParseBytes(w.B))
		if got := Unescape([]byte(body)); got != s {
			t.Fatalf("%q was unescaped to %q", s, got)
		}
	})
}

func TestABodyThatIsNoObjectIsRefused(t *testing.T) {
	for body, says := range map[string]string{
		"": "has no body", "[]": "is an array", `{"a":"canary"`: "error at byte", "\"\xff\"": "no UTF-8", `"x"`: "is a string",
		`{"a":` + strings.Repeat("[", 1<<20): "more than 512 deep", // which would end the process in a parser that recurses
	} {
		_, err := Root([]byte(body))
		if err == nil || err.Kind != problem.InvalidJSON || !strings.Contains(err.Detail, says) || strings.Contains(err.Detail, "canary") {
			t.Errorf("%.20q: %v, want %q", body, err, says)
		}
	}
	if _, ok := Object([]byte(`{"a":"` + strings.Repeat("[", 1<<20) + `\"]"}`)); !ok {
		t.Error("brackets in a string count for nesting")
	}
}

func TestFaultsNameTheirPlace(t *testing.T) {
	root, _ := Root([]byte(`{"s":1,"b":"x","n":1.5,"f":9,"list":["a",2],"o":[],"twice":1,"twice":2}`))
	r := Reader{}
	r.Str("s", root.Get("s"))
	r.Bool("b", root.Get("b"))
	r.Int("n", root.Get("n"), 1)
	r.Float("f", root.Get("f"), 0, 2)
	r.Strings("list", root.Get("list"))
	r.Object("o", root.Get("o"))
	r.Required("missing", root.Get("missing"))
	r.Members("", root, func(string, gjson.Result) {})
	var places []string
	for _, f := range r.Faults {
		places = append(places, f.Location)
	}
	if got := strings.Join(places, " "); got != "body.s body.b body.n body.f body.list[1] body.o body.missing body.twice" {
		t.Errorf("got %s", got)
	}
	if p := r.Err(); p == nil || p.Status() != 400 {
		t.Errorf("got %v", p)
	}
}

func TestNullIsNothing(t *testing.T) {
	null := gjson.Parse("null")
	r := Reader{}
	if r.Bool("b", null) != nil || r.Int("n", null, 0) != nil || r.Float("f", null, 0, 1) != nil || r.Optional("s", null) != "" ||
		r.Strings("l", null) != nil || r.Object("o", null) || r.Err() != nil {
		t.Errorf("faults %v", r.Faults)
	}
}

// A member's name can hold anything, and notes go into a header.
func TestANoteHoldsNamesOnly(t *testing.T) {
	r := Reader{}
	r.Others("messages[0]", gjson.Parse(`{"role":"x","seed":1,"none":null,"my secret\r\nX: y":1}`), "role")
	if len(r.Notes) != 2 || r.Notes[0].Field != "messages[0].seed" || r.Notes[1].Field != "messages[0].(unnamed)" {
		t.Errorf("got %v", r.Notes)
	}
	r.Drop("messages[0].seed", r.Notes[0].Why)
	if len(r.Notes) != 2 {
		t.Error("a note stands twice")
	}
}
