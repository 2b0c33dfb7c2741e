package gateway

import (
	"mlxbar/backend/audit"
	"mlxbar/backend/gateway/openai"
	"mlxbar/backend/settings"
)

// endpoint is a path that runs a model, as the gateway serves it.
type endpoint struct {
	openai.Endpoint
	limit string // the setting below timeouts that bounds it, as an error names it
	total func(settings.Timeouts) settings.Duration
}

// endpoints are all of them. What a path needs beyond its wire format stands here
// and nowhere else.
var endpoints = []endpoint{
	{openai.Chat, "chat", func(t settings.Timeouts) settings.Duration { return t.Chat }},
	{openai.Completions, "completions", func(t settings.Timeouts) settings.Duration { return t.Completions }},
	{openai.Embeddings, "embeddings", func(t settings.Timeouts) settings.Duration { return t.Embeddings }},
}

// backends is what the audit calls a provider's machine, by the protocol it speaks.
var backends = map[settings.ProviderKind]audit.Backend{
	settings.KindOpenAI: audit.OpenAI,
}
