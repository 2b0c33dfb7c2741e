package gateway

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"mlxbar/backend/settings"
	"mlxbar/backend/telemetry/instruments"
)

func TestEveryEndpointIsBoundByTheSettingThatItNames(t *testing.T) {
	for _, e := range endpoints {
		s, err := settings.Parse(fmt.Appendf(nil, `{"timeouts": {%q: "7m"}}`, e.limit))
		if err != nil {
			t.Fatalf("%s: timeouts has no %q: %v", e.path, e.limit, err)
		}
		if got := time.Duration(e.total(s.Timeouts)); got != 7*time.Minute {
			t.Errorf("%s: with timeouts.%s of 7m its total is %s", e.path, e.limit, got)
		}
	}
}

func TestEveryKindOfProviderHasItsNameInTheAudit(t *testing.T) {
	field, _ := reflect.TypeFor[settings.Provider]().FieldByName("Kind")
	kinds := strings.Split(field.Tag.Get("enum"), ",")
	for _, kind := range kinds {
		if backends[settings.ProviderKind(kind)] == "" {
			t.Errorf("the settings allow providers of kind %q, and the audit has no name for them", kind)
		}
	}
	for kind := range backends {
		if !slices.Contains(kinds, string(kind)) {
			t.Errorf("the settings allow no provider of kind %q", kind)
		}
	}
}

func TestABaseURLMayEndInASlash(t *testing.T) {
	for _, base := range []string{"https://far.example/v1", "https://far.example/v1/"} {
		if got := under(base, "/v1/embeddings"); got != "https://far.example/v1/embeddings" {
			t.Errorf("%s gives %s", base, got)
		}
	}
}

func TestAnEventOfUsageAloneIsKnownHoweverItIsWritten(t *testing.T) {
	for data, want := range map[string]bool{
		`{"choices":[],"usage":{"total_tokens":1}}`:             true,
		`{"choices": [], "usage": {"total_tokens": 1}}`:         true,
		`{"choices":[{"delta":{}}],"usage":{"total_tokens":1}}`: false,
		`{"choices":[],"usage":null}`:                           false,
		`{"choices":[{"delta":{"content":"\"usage\":{}"}}]}`:    false,
		`[DONE]`: false,
	} {
		if got := usageOnly([]byte(data)); got != want {
			t.Errorf("%s: %v", data, got)
		}
	}
}

func TestTelemetryKnowsEveryEndpoint(t *testing.T) {
	for _, e := range endpoints {
		if instruments.Operation(e.path) == "" {
			t.Errorf("%s has no operation in spans and metrics", e.path)
		}
	}
}
