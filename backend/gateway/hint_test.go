package gateway_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"mlxbar/backend/audit"
	"mlxbar/backend/gateway/prefix"
)

// The hint is of engines alone: what a provider reuses is its own affair. And it is no word of the prompt.
func TestOnlyWhatIsForAnEngineGetsAHint(t *testing.T) {
	for model, want := range map[string]string{"ok": prefix.ChangesAtStart, "far/ok": ""} {
		t.Run(model, func(t *testing.T) {
			h := newHouse(t, nil)
			for n := range 3 {
				system := fmt.Sprintf("It is %d.\n", n) + strings.Repeat("canary-prompt, with care.\n", 200)
				body, err := json.Marshal(map[string]any{"model": model, "messages": []any{
					map[string]any{"role": "system", "content": system}, map[string]any{"role": "user", "content": "Hi"}}})
				if err != nil {
					t.Fatal(err)
				}
				readBody(t, h.request("POST", "/v1/chat/completions", string(body)))
			}
			if err := h.recorder.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			page, err := h.records.Query(t.Context(), audit.Filter{}, audit.View{Limit: 10})
			if err != nil || len(page.Records) != 3 {
				t.Fatalf("%d records, %v", len(page.Records), err)
			}
			hints := map[string]int{}
			for _, r := range page.Records {
				hints[r.Hint]++
			}
			if want == "" && hints[""] != 3 || want != "" && (hints[""] != 2 || hints[want] != 1) {
				t.Errorf("the hints are %v", hints)
			}
		})
	}
}
