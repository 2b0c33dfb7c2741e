package prices

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func day(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// file is a prices.json with one entry a line, each the members that it does not share with the others.
func file(entries ...string) string {
	for i, e := range entries {
		entries[i] = "{" + e + `, "kind": "openai", "source": "https://example.com/prices", "seen": "2026-01-01"}`
	}
	return `{"version": 1, "currency": "USD", "prices": [` + strings.Join(entries, ",\n") + "]}"
}

func write(t *testing.T, path, text string) {
	t.Helper()
	half := path + ".half" // nobody reads one that is half written
	if err := errors.Join(os.WriteFile(half, []byte(text), 0o600), os.Rename(half, path)); err != nil {
		t.Fatal(err)
	}
}

func table(t *testing.T, own string) *Table {
	t.Helper()
	path := filepath.Join(t.TempDir(), "prices.json")
	write(t, path, own)
	tab, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func TestARequestCostsWhatWasChargedWhenItBegan(t *testing.T) {
	tab := table(t, file(
		`"models": ["m"], "from": "2026-01-01", "input": 1, "output": 4`,
		`"models": ["m"], "from": "2026-03-01", "input": 2, "output": 8`,
		`"models": ["m"], "from": "2026-03-01", "input": 20, "output": 80, "over": 1000`,
		`"models": ["m-*"], "from": "2026-01-01", "input": 5`,
		`"models": ["m-mini*"], "from": "2026-06-01", "input": 0.5`,
		`"models": ["m"], "host": "cheap.example", "from": "2026-01-01", "input": 0.1`,
		`"models": ["gpt-5-mini"], "from": "2026-02-01", "input": 0.2, "output": 1`,
	))
	for _, c := range []struct {
		name, kind, host, model, at string
		prompt                      int64
		want                        float64 // of a million prompt tokens; -1 for not known
	}{
		{"before the first price", "openai", "a.example", "m", "2025-12-31", 10, -1},
		{"the first", "openai", "a.example", "m", "2026-01-01", 10, 1},
		{"until the day before the second", "openai", "a.example", "m", "2026-02-28", 10, 1},
		{"the second", "openai", "a.example", "m", "2026-03-01", 10, 2},
		{"a prompt of just that length is not over it", "openai", "a.example", "m", "2026-03-01", 1000, 2},
		{"a long prompt", "openai", "a.example", "m", "2026-03-01", 1001, 20},
		{"before long prompts had a price of their own", "openai", "a.example", "m", "2026-02-01", 1001, 1},
		{"a pattern", "openai", "a.example", "m-large", "2026-01-01", 10, 5},
		{"a closer pattern", "openai", "a.example", "m-mini-1", "2026-06-01", 10, .5},
		{"no other model's price for a closer one that was not there yet", "openai", "a.example", "m-mini-1", "2026-05-31", 10, -1},
		{"the price of a host", "openai", "cheap.example", "m", "2026-05-01", 10, .1},
		{"another protocol", "anthropic", "a.example", "m", "2026-05-01", 10, -1},
		{"a model that nobody knows", "openai", "api.openai.com", "gpt-unheard-of", "2026-05-01", 10, -1},
		{"what mlxbar brings along", "openai", "api.openai.com", "gpt-4o-mini-2024-07-18", "2026-05-01", 10, .15},
		{"not at another host", "openai", "vllm.example", "gpt-4o-mini", "2026-05-01", 10, -1},
		{"an own price before that", "openai", "api.openai.com", "gpt-5-mini", "2026-02-01", 10, .2},
		{"but from its day on", "openai", "api.openai.com", "gpt-5-mini", "2026-01-31", 10, .25},
	} {
		got := -1.0
		if p := tab.Find(c.kind, c.host, c.model, day(t, c.at), c.prompt); p != nil {
			got = p.Cost(Usage{Prompt: 1e6})
		}
		if got != c.want {
			t.Errorf("%s: %g, want %g", c.name, got, c.want)
		}
	}
	if p := tab.Named("claude-haiku-5-5", day(t, "2026-11-01")); p == nil || p.Input != .1 {
		t.Errorf("what others are compared with: %+v", p)
	}
	if p := tab.Named("nobody", day(t, "2026-11-01")); p != nil {
		t.Errorf("a model without a price is compared with %+v", p)
	}
}

func TestTokensOfACacheHaveTheirOwnPrice(t *testing.T) {
	rate := func(v float64) *float64 { return &v }
	full := Price{Input: 10, CachedInput: rate(1), CacheWrite: rate(12), CacheWrite1H: rate(20), Output: rate(50)}
	plain := Price{Input: 10, Output: rate(50)}
	for _, c := range []struct {
		name string
		p    Price
		u    Usage
		want float64 // in millionths of a dollar
	}{
		{"no cache", full, Usage{Prompt: 100, Completion: 10}, 1500},
		{"read from it", full, Usage{Prompt: 100, Cached: 60, Completion: 10}, 400 + 60 + 500},
		{"written to it, some for an hour", full, Usage{Prompt: 100, Cached: 50, CacheWrite: 30, CacheWrite1H: 10}, 200 + 50 + 240 + 200},
		{"no price for it", plain, Usage{Prompt: 100, Cached: 60, CacheWrite: 30, Completion: 10}, 1500},
		{"more cached than there was", full, Usage{Prompt: 100, Cached: 900, CacheWrite: 900, CacheWrite1H: 900}, 100},
		{"nothing", full, Usage{}, 0},
	} {
		if got := c.p.Cost(c.u) * 1e6; math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %g, want %g", c.name, got, c.want)
		}
	}
}

// Each price says when and where it was read, and none of them is a slip of the comma.
func TestTheBuiltInPricesAreWhole(t *testing.T) {
	if len(builtIn()) < 50 {
		t.Fatalf("there are %d", len(builtIn()))
	}
	for _, p := range builtIn() {
		if p.Host == "" || p.Input <= 0 || p.Input > 200 {
			t.Errorf("%v: %+v", p.Models, p)
		}
		if p.Output != nil && *p.Output <= p.Input {
			t.Errorf("%v: the answer costs %g and the prompt %g", p.Models, *p.Output, p.Input)
		}
		if p.CachedInput != nil && *p.CachedInput >= p.Input || p.CacheWrite != nil && *p.CacheWrite <= p.Input {
			t.Errorf("%v: the cache costs %v to read and %v to write", p.Models, p.CachedInput, p.CacheWrite)
		}
	}
}

func TestWhatIsWrongIsNamed(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"no JSON", "prices", "is not JSON of this layout"},
		{"no version", `{"currency": "USD", "prices": []}`, "version must be 1"},
		{"another currency", `{"version": 1, "currency": "EUR", "prices": []}`, "currency must be USD"},
		{"something behind", `{"version": 1, "currency": "USD", "prices": []} x`, "something behind its end"},
		{"a misspelt member", file(`"models": ["m"], "from": "2026-01-01", "input": 1, "ouput": 2`), `prices[0]: is not JSON of this layout: unknown field "ouput"`},
		{"no price", file(`"models": ["m"], "from": "2026-01-01"`), "prices[0].input must be there"},
		{"no model", file(`"models": [], "from": "2026-01-01", "input": 1`), "prices[0].models must name one model or more"},
		{"less than nothing", file(`"models": ["m"], "from": "2026-01-01", "input": 1`, `"models": ["m"], "from": "2026-01-01", "input": -1`), "prices[1].input must be from 0"},
		{"no day", file(`"models": ["m"], "from": "soon", "input": 1`), "prices[0].from must be a day"},
		{"a host with a path", file(`"models": ["m"], "from": "2026-01-01", "input": 1, "host": "a.example/v1"`), "prices[0].host must be a host's name"},
	} {
		_, err := parse([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestTheOldPricesStayWhileTheFileIsWrong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "prices.json")
	problems := make(chan error, 8)
	b := Open(path, func(err error) { problems <- err })
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); b.Watch(ctx) }()
	defer func() { stop(); <-ended }()

	costs := func() float64 {
		p := b.Current().Find("openai", "any.example", "m", day(t, "2026-05-01"), 1)
		if p == nil {
			return -1
		}
		return p.Input
	}
	waitFor := func(want float64) {
		t.Helper()
		for range 1000 {
			if costs() == want {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("it costs %g, want %g", costs(), want)
	}
	if b.Problem() != nil || costs() != -1 {
		t.Fatalf("without a file: %v, %g", b.Problem(), costs())
	}
	write(t, path, file(`"models": ["m"], "from": "2026-01-01", "input": 3`))
	waitFor(3)
	write(t, path, file(`"models": ["m"], "from": "2026-01-01", "input": "4"`))
	if err := <-problems; err == nil || !strings.Contains(err.Error(), "prices[0]") || !strings.Contains(err.Error(), path) {
		t.Errorf("the problem is %v", err)
	}
	if costs() != 3 {
		t.Errorf("it costs %g while the file is wrong", costs())
	}
	write(t, path, file(`"models": ["m"], "from": "2026-01-01", "input": 4`))
	if err := <-problems; err != nil {
		t.Errorf("mended, and the problem is %v", err)
	}
	waitFor(4)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	waitFor(-1)
}

// The built-in prices would be others than the person has set.
func TestNoPriceIsKnownWhenAServerStartsWithAWrongFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "prices.json")
	write(t, path, "{")
	b := Open(path, nil)
	if b.Problem() == nil || b.Current().Find("openai", "api.openai.com", "gpt-5", day(t, "2026-05-01"), 1) != nil {
		t.Errorf("the problem is %v, and gpt-5 has a price", b.Problem())
	}
	if _, err := Read(path); err == nil {
		t.Error("it was read")
	}
}
