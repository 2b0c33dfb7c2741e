package gateway

import (
	"slices"

	"mlxbar/backend/audit"
	"mlxbar/backend/gateway/convert"
	"mlxbar/backend/gateway/openai"
	"mlxbar/backend/settings"
)

// endpoint is a path that runs a model, as the gateway serves it.
type endpoint struct {
	*dialect
	// kind is the kind of provider that speaks it. turn is set where a provider of the other kind can be asked
	// for the same in its own protocol.
	kind  settings.ProviderKind
	turn  *convert.Protocol
	limit string // the setting below timeouts that bounds it, as an error names it
	total func(settings.Timeouts) settings.Duration
}

// endpoints are all of them. What a path needs beyond its wire format stands here
// and nowhere else.
var endpoints = []endpoint{
	{chatDialect, settings.KindOpenAI, turnOf(convert.Chat), "chat", chatLimit},
	{completionDialect, settings.KindOpenAI, nil, "completions", func(t settings.Timeouts) settings.Duration { return t.Completions }},
	{openAI(openai.Embeddings), settings.KindOpenAI, nil, "embeddings", embeddingsLimit},
	{openAI(openai.Rerank), settings.KindOpenAI, nil, "embeddings", embeddingsLimit},
	{responseDialect, settings.KindOpenAI, turnOf(convert.Responses), "chat", chatLimit},
	{messagesDialect, settings.KindAnthropic, turnOf(convert.Messages), "chat", chatLimit},
	{countDialect, settings.KindAnthropic, nil, "embeddings", embeddingsLimit},
}

// RunsModels says whether path is one of those that run a model.
func RunsModels(path string) bool {
	return slices.ContainsFunc(endpoints, func(e endpoint) bool { return e.path == path })
}

func turnOf(p convert.Protocol) *convert.Protocol { return &p }

func chatLimit(t settings.Timeouts) settings.Duration       { return t.Chat }
func embeddingsLimit(t settings.Timeouts) settings.Duration { return t.Embeddings }

// backends is what the audit calls a provider's machine, by the protocol it speaks.
var backends = map[settings.ProviderKind]audit.Backend{
	settings.KindOpenAI:    audit.OpenAI,
	settings.KindAnthropic: audit.Anthropic,
}

// spoken is a protocol that an upstream is asked in.
type spoken struct {
	*dialect
	as convert.Protocol
}

// native is the dialect in which a kind of provider is asked for the next turn.
var native = map[settings.ProviderKind]spoken{
	settings.KindOpenAI:    {chatDialect, convert.Chat},
	settings.KindAnthropic: {messagesDialect, convert.Messages},
}
