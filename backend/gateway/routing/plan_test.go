package routing

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mlxbar/backend/settings"
)

var house = settings.Settings{
	Providers: []settings.Provider{
		{Name: "a", BaseURL: "https://a.example/v1"}, {Name: "b", BaseURL: "https://b.example/v1"}, {Name: "near", BaseURL: "http://127.0.0.1:1/v1"},
	},
	Routes: []settings.Route{
		{Model: "x-1", Targets: []settings.Target{{Provider: "b", Model: "y"}}},
		{Model: "x-*", Targets: []settings.Target{{Provider: settings.LocalProvider, Model: "small"}, {Provider: "a"}, {Provider: "near"}}},
		{Model: "drawn", Spread: settings.ByWeight, Targets: []settings.Target{{Provider: "a"}, {Provider: "b", Weight: 3}}},
		{Model: "loaded", Spread: settings.ByLoad, Targets: []settings.Target{{Provider: "a"}, {Provider: "b", Weight: 2}}},
		{Model: "lost", Targets: []settings.Target{{Provider: "gone"}}},
	},
}

// clock is a router's time and chance, in a test's hand.
type clock struct {
	*Router
	time time.Time
	dice []int
}

func newClock() *clock {
	c := &clock{Router: NewRouter(), time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	c.now = func() time.Time { return c.time }
	c.random = func(n int) int {
		if len(c.dice) == 0 {
			return 0
		}
		d := c.dice[0] % n
		c.dice = c.dice[1:]
		return d
	}
	return c
}

// told is a plan in a word: its targets in order, those passed over in brackets.
func told(p Plan) string {
	var words []string
	for _, c := range p.Choices {
		word := "here/" + c.Model
		if c.Provider != nil {
			word = c.Provider.Name + "/" + c.Model
		}
		switch c.Skip {
		case Open:
			word = "(open " + word + ")"
		case LocalOnly:
			word = "(leaves " + word + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func (c *clock) plan(t *testing.T, s settings.Settings, model string) string {
	t.Helper()
	p, err := c.Plan(&s, model)
	if err != nil {
		t.Fatal(err)
	}
	return told(p)
}

func (c *clock) fail(t *testing.T, d Destination, times int) {
	t.Helper()
	for range times {
		done, ok := c.Begin(d)
		if !ok {
			t.Fatal("the circuit is open already")
		}
		done(Failed)
	}
}

func TestTheFirstRouteThatMatchesDecides(t *testing.T) {
	for _, c := range []struct {
		model, want string
		localOnly   bool
		dice        []int
	}{
		{model: "x-1", want: "b/y"},
		{model: "x-2", want: "here/small a/x-2 near/x-2"},
		{model: "z", want: "here/z"},
		{model: "z", localOnly: true, want: "here/z"},
		{model: "x-2", localOnly: true, want: "here/small near/x-2 (leaves a/x-2)"},
		{model: "x-1", localOnly: true, want: "(leaves b/y)"},
		{model: "drawn", dice: []int{0}, want: "a/drawn b/drawn"},
		{model: "drawn", dice: []int{1}, want: "b/drawn a/drawn"},
		{model: "drawn", dice: []int{3}, want: "b/drawn a/drawn"},
		{model: "loaded", want: "a/loaded b/loaded"},
	} {
		at := newClock()
		at.dice = c.dice
		s := house
		s.LocalOnly = c.localOnly
		if got := at.plan(t, s, c.model); got != c.want {
			t.Errorf("%s, local only %v: %s, want %s", c.model, c.localOnly, got, c.want)
		}
	}
	if _, err := NewRouter().Plan(&house, "lost"); err == nil {
		t.Error("a route without its provider has a plan")
	}
}

// Each target is the first as often as its weight says, and none is lost or doubled.
func TestWeightsAreShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.IntRange(1, 9), 1, 5).Draw(t, "weights")
		total := 0
		for _, w := range weights {
			total += w
		}
		first := make([]int, len(weights))
		at := newClock()
		for n := range total { // every side of the die once
			choices := make([]Choice, len(weights))
			for i, w := range weights {
				choices[i] = Choice{Weight: w, Running: i}
			}
			at.dice = []int{n}
			at.draw(choices)
			first[choices[0].Running]++
			slices.SortFunc(choices, func(a, b Choice) int { return a.Running - b.Running })
			for i, c := range choices {
				if c.Running != i || c.Weight != weights[i] {
					t.Fatalf("drawn: %v", choices)
				}
			}
		}
		if !slices.Equal(first, weights) {
			t.Fatalf("of weights %v each was the first %v times", weights, first)
		}
	})
}

func TestTheLeastLoadedIsAskedFirst(t *testing.T) {
	at := newClock()
	a, b := Destination{Provider: &house.Providers[0], Model: "loaded"}, Destination{Provider: &house.Providers[1], Model: "loaded"}
	var ends []func(Outcome)
	for i, want := range []Destination{a, b, b, a, b, b} { // b takes two for each of a's
		p, err := at.Plan(&house, "loaded")
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Choices[0].Destination; got != want {
			t.Fatalf("request %d goes to %s: %s", i, got.Provider.Name, told(p))
		}
		done, _ := at.Begin(want)
		ends = append(ends, done)
	}
	for _, end := range ends {
		end(Answered)
	}
	if p, _ := at.Plan(&house, "loaded"); p.Choices[0].Running+p.Choices[1].Running != 0 {
		t.Errorf("requests that have ended still count: %+v", p.Choices)
	}
}

func TestACircuitOpensAndIsTriedAgain(t *testing.T) {
	at := newClock()
	// The breaker has a clock of its own, so only its counts are looked at here; see gobreaker's tests for its time.
	small := Destination{Model: "small"}
	at.fail(t, small, failuresInRow-1)
	if got := at.plan(t, house, "x-2"); got != "here/small a/x-2 near/x-2" {
		t.Errorf("after %d failures: %s", failuresInRow-1, got)
	}
	done, _ := at.Begin(small)
	done(Answered)
	at.fail(t, small, failuresInRow-2)
	done, _ = at.Begin(small)
	done(Nothing) // a client that left in between is no success
	at.fail(t, small, 1)
	if got := at.plan(t, house, "x-2"); got != "here/small a/x-2 near/x-2" {
		t.Errorf("a success between failures does not count: %s", got)
	}
	at.fail(t, small, 1)
	if got := at.plan(t, house, "x-2"); got != "a/x-2 near/x-2 (open here/small)" {
		t.Errorf("after %d failures in a row: %s", failuresInRow, got)
	}
	if _, ok := at.Begin(small); ok {
		t.Error("a target with an open circuit was asked")
	}
	p, _ := at.Plan(&house, "x-2")
	if last := p.Choices[2]; !last.Retry.Equal(at.time.Add(openFor)) {
		t.Errorf("it may be asked again at %s", last.Retry)
	}
	if got := at.plan(t, house, "small"); got != "(open here/small)" {
		t.Errorf("the same target by another name: %s", got)
	}
	if got := at.plan(t, house, "other"); got != "here/other" {
		t.Errorf("another model of the same engine: %s", got)
	}
}

func TestNamesThatClientsMakeUpAreForgotten(t *testing.T) {
	at := newClock()
	busy, _ := at.Begin(Destination{Model: "busy"})
	for i := range 1000 {
		done, _ := at.Begin(Destination{Model: fmt.Sprint(i)})
		done(Answered)
	}
	at.time = at.time.Add(2 * idleFor)
	done, _ := at.Begin(Destination{Model: "new"})
	if n := len(at.targets); n != 2 {
		t.Errorf("%d targets are remembered", n)
	}
	done(Answered)
	busy(Answered)
}

func TestAProvidersOpenCircuitsAreListed(t *testing.T) {
	c := newClock()
	a, b := &house.Providers[0], &house.Providers[1]
	for _, d := range []Destination{{a, "two"}, {a, "one"}, {b, "one"}} {
		for range failuresInRow {
			done, ok := c.Begin(d)
			if !ok {
				t.Fatalf("%v is open already", d)
			}
			done(Failed)
		}
	}
	done, _ := c.Begin(Destination{a, "well"})
	done(Answered)
	until := c.time.Add(openFor)
	if got, want := c.Opened(a), []Opened{{"one", until}, {"two", until}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	elsewhere := *a
	elsewhere.BaseURL = "https://other.example/v1"
	if got := c.Opened(&elsewhere); len(got) > 0 {
		t.Errorf("at another address: %v", got)
	}
}
