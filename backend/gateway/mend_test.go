package gateway_test

import (
	"io"
	"strings"
	"testing"
)

// llama.cpp leaves message_start out when an answer begins with part of a character. Anthropic's clients
// take no stream without it, so an engine's gets one; a provider's is passed on as it came.
func TestAnEnginesMessagesBeginAsTheyShould(t *testing.T) {
	for model, starts := range map[string]string{
		"headless": "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_",
		"ok":       "event: message_start\ndata: {\"message\":{\"content\":[],\"id\":\"msg_upstream1\"",
	} {
		h := newHouse(t, nil)
		raw, err := io.ReadAll(h.request("POST", messagePath, asks(messagePath, model, true)).Body)
		got := string(raw)
		if err != nil || !strings.HasPrefix(got, starts) || strings.Count(got, "event: message_start") != 1 || strings.Count(got, "event: content_block_start") != 1 || !strings.HasSuffix(got, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n") {
			t.Errorf("%s: %v\n%s", model, err, got)
		}
		if text := said(messagePath, got, true); !strings.HasPrefix(text, "marzipan is a") {
			t.Errorf("%s says %q", model, text)
		}
		rec := h.only()
		if known := rec.PromptTokens != nil; known != (model == "ok") || rec.CompletionTokens == nil || string(rec.Status) != "success" {
			t.Errorf("%s: the record is %+v", model, rec)
		}
	}
}
