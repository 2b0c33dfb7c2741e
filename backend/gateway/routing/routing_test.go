package routing

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"gpt-4o", "gpt-4o", true}, {"gpt-4o", "gpt-4o-mini", false}, {"gpt-*", "gpt-4o", true}, {"gpt-*", "GPT-4o", false},
		{"*", "", true}, {"*", "anything/at:all", true}, {"*-mini", "gpt-4o-mini", true}, {"a*b*c", "a-b-b-c", true},
		{"a*a", "a", false}, {"*a*", "bab", true}, {"", "", true}, {"", "a", false}, {"a**b", "ab", true}, {"a.c", "abc", false},
	} {
		if got := Match(c.pattern, c.name); got != c.want {
			t.Errorf("Match(%q, %q) = %v", c.pattern, c.name, got)
		}
	}
}

// Match is the regular expression in which * is .* and all else is itself.
func TestMatchIsThatRegularExpression(t *testing.T) {
	text := rapid.StringOfN(rapid.SampledFrom([]rune("ab*.")), 0, 8, -1)
	rapid.Check(t, func(t *rapid.T) {
		pattern, name := text.Draw(t, "pattern"), text.Draw(t, "name")
		want := regexp.MustCompile("^(?s:" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + ")$").MatchString(name)
		if got := Match(pattern, name); got != want {
			t.Fatalf("Match(%q, %q) = %v, want %v", pattern, name, got, want)
		}
	})
}
