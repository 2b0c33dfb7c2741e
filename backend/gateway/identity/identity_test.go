package identity

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlxbar/backend/settings"
)

func TestWhoAsksStandsWhereTheProtocolHasIt(t *testing.T) {
	for _, c := range []struct {
		kind  settings.ProviderKind
		key   string
		there http.Header
		want  http.Header
	}{
		{settings.KindOpenAI, "sk-1", http.Header{}, http.Header{"Authorization": {"Bearer sk-1"}}},
		{settings.KindOpenAI, "", http.Header{}, http.Header{}},
		{settings.KindAnthropic, "sk-1", http.Header{}, http.Header{"X-Api-Key": {"sk-1"}, "Anthropic-Version": {anthropicVersion}}},
		{settings.KindAnthropic, "", http.Header{"Anthropic-Version": {"2031-01-01"}}, http.Header{"Anthropic-Version": {"2031-01-01"}}},
		{"", "sk-engine", http.Header{}, http.Header{"Authorization": {"Bearer sk-engine"}}}, // an engine is no provider
	} {
		Write(c.there, c.kind, c.key)
		if diff := cmp.Diff(c.want, c.there); diff != "" {
			t.Errorf("%s with key %q: %s", c.kind, c.key, diff)
		}
	}
}
