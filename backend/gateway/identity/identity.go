// Package identity writes into a request to a provider who asks, as the provider's protocol has it.
package identity

import (
	"net/http"

	"mlxbar/backend/settings"
)

// anthropicVersion is sent for clients that name none, because their own protocol has no such thing.
const anthropicVersion = "2023-06-01"

// Write adds the key, "" for none, and what the protocol wants beside it. A version that stands there stays.
func Write(h http.Header, kind settings.ProviderKind, key string) {
	switch {
	case kind == settings.KindAnthropic:
		if key != "" {
			h.Set("X-Api-Key", key)
		}
		if h.Get("Anthropic-Version") == "" {
			h.Set("Anthropic-Version", anthropicVersion)
		}
	case key != "":
		h.Set("Authorization", "Bearer "+key)
	}
}
