package prefix_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"mlxbar/backend/gateway/prefix"
)

// instructions are as long as a coding agent's, with first lines of their own.
func instructions(first string) string {
	return first + strings.Repeat("Be careful with files.\n", 200)
}

func body(t testing.TB, members map[string]any) []byte {
	t.Helper()
	b, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type block map[string]any

func said(role string, content any) block { return block{"role": role, "content": content} }

// claudeCode is a request of Claude Code's, with its line of accounting, which differs each time.
func claudeCode(n int, question string) map[string]any {
	return map[string]any{
		"messages": []block{said("user", []block{{"type": "text", "text": question}})},
		"system": []block{
			{"type": "text", "text": fmt.Sprintf("x-anthropic-billing-header: cc_version=2.1.177; cc_entrypoint=cli; cch=%05x;", n)},
			{"type": "text", "text": "You are Claude Code, Anthropic's official CLI for Claude."},
			{"type": "text", "text": instructions("")},
		},
	}
}

func TestWhoseFirstLinesChangeIsTold(t *testing.T) {
	long := strings.Repeat("and on and on ", 300)
	for name, c := range map[string]struct {
		nth  func(n int) map[string]any
		want bool
	}{
		"Claude Code's line of accounting":    {func(n int) map[string]any { return claudeCode(n, "Hello") }, true},
		"and in a new conversation each time": {func(n int) map[string]any { return claudeCode(n, fmt.Sprint("Hello ", n)) }, true},
		"Claude Code without it":              {func(int) map[string]any { return claudeCode(0, "Hello") }, false},
		"a time in the second line": {func(n int) map[string]any {
			return map[string]any{"messages": []block{said("system", instructions(fmt.Sprintf("You help.\nIt is 10:33:%02d.\n", n))), said("user", "Hi")}}
		}, true},
		"a time behind all else": {func(n int) map[string]any {
			return map[string]any{"messages": []block{said("system", instructions("You help.\n")+fmt.Sprint("It is ", n)), said("user", "Hi")}}
		}, false},
		"a time in a single line, before a long question": {func(n int) map[string]any {
			return map[string]any{"instructions": fmt.Sprint("It is ", n), "input": "What of this? " + long}
		}, true},
		"a conversation that grows": {func(n int) map[string]any {
			all := []block{said("system", instructions("You help.\n")), said("user", "Hi")}
			for i := range n {
				all = append(all, said("assistant", fmt.Sprint("Answer ", i)), said("user", fmt.Sprint("Question ", i)))
			}
			return map[string]any{"messages": all}
		}, false},
		"another question each time": {func(n int) map[string]any {
			return map[string]any{"messages": []block{said("user", fmt.Sprint("Question ", n, long))}}
		}, false},
		"a text to go on with": {func(n int) map[string]any { return map[string]any{"prompt": fmt.Sprint(n, "\n\n\n\n", long)} }, true},
		"tokens":               {func(n int) map[string]any { return map[string]any{"prompt": make([]int, 2000)} }, false},
		"a short one":          {func(n int) map[string]any { return map[string]any{"prompt": fmt.Sprint(n, "\n\n\n\nshort")} }, false},
		"nothing to read":      {func(n int) map[string]any { return map[string]any{"documents": long, "messages": 5, "system": n} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := prefix.New()
			for n := range 5 {
				want := ""
				if c.want && n >= 2 { // once may be chance
					want = prefix.ChangesAtStart
				}
				if got := w.Look("Tool/1", "small", body(t, c.nth(n))); got != want {
					t.Errorf("request %d: %q, want %q", n, got, want)
				}
			}
		})
	}
}

func TestClientsAndModelsAreApart(t *testing.T) {
	w := prefix.New()
	for n := range 5 {
		for i, who := range [][2]string{{"A/1", "small"}, {"A/1", "large"}, {"B/1", "small"}} {
			b := body(t, claudeCode(i, "Hello"))
			if got := w.Look(who[0], who[1], b); got != "" {
				t.Errorf("round %d of %v: %q", n, who, got)
			}
		}
	}
}

func TestWhatStaysTheSameAgainIsNotTold(t *testing.T) {
	w := prefix.New()
	for i, n := range []int{1, 2, 3, 3, 3, 4} {
		if got := w.Look("A/1", "small", body(t, claudeCode(n, "Hello"))); (got != "") != (i == 2) {
			t.Errorf("request %d: %q", i, got)
		}
	}
}

// However many clients there are, no more than a few prompts are remembered.
func TestOnlyTheLastFewAreRemembered(t *testing.T) {
	w := prefix.New()
	look := func(client string, n int) string { return w.Look(client, "small", body(t, claudeCode(n, "Hello"))) }
	look("A/1", 1)
	look("A/1", 2)
	for i := range 300 {
		look(fmt.Sprint("other/", i), 1)
	}
	if got := look("A/1", 3); got != "" {
		t.Errorf("it is remembered: %q", got)
	}
}

func BenchmarkLook(b *testing.B) {
	for _, kb := range []int{4, 200} {
		b.Run(fmt.Sprint(kb, "kB"), func(b *testing.B) {
			request := claudeCode(1, strings.Repeat("What of this? ", kb<<10/14))
			text, w := body(b, request), prefix.New()
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				w.Look("A/1", "small", text)
			}
		})
	}
}
