package instruments

// The names of attributes. Those of gen_ai, server, http, error and url are OpenTelemetry's own.
const (
	keyOperation     = "gen_ai.operation.name"
	keyProviderName  = "gen_ai.provider.name"
	keyRequestModel  = "gen_ai.request.model"
	keyResponseModel = "gen_ai.response.model"
	keyInputTokens   = "gen_ai.usage.input_tokens"
	keyOutputTokens  = "gen_ai.usage.output_tokens"
	keyCachedTokens  = "gen_ai.usage.cache_read.input_tokens"
	keyTokenType     = "gen_ai.token.type"
	keyServerAddress = "server.address"
	keyServerPort    = "server.port"
	keyPath          = "url.path"
	keyMethod        = "http.request.method"
	keyStatusCode    = "http.response.status_code"
	keyErrorType     = "error.type"
	keyMemoryType    = "go.memory.type"

	keyRequestID  = "mlxbar.request_id"
	keyBackend    = "mlxbar.backend"
	keyProvider   = "mlxbar.provider"
	keyStatus     = "mlxbar.status"
	keyStream     = "mlxbar.stream"
	keyClient     = "mlxbar.client"
	keyAttempt    = "mlxbar.attempt"
	keyFirstToken = "mlxbar.time_to_first_token"
	keyEngine     = "mlxbar.engine"
	keyResult     = "mlxbar.result"
	keyRecords    = "mlxbar.audit.records"
)

// Attributes says what each attribute holds, for the documentation.
func Attributes() map[string]string {
	return map[string]string{
		keyOperation:     "What was asked for: chat, text_completion or embeddings, as OpenTelemetry names them; count_tokens or rerank, which it has no names for.",
		keyProviderName:  "Who answers: the engine (llamacpp), or the protocol of the provider (openai); mlxbar when nobody was asked.",
		keyRequestModel:  "The model asked for; of an attempt and of an engine, its name there. At most 128 bytes. In metrics only a model that is known, else _other.",
		keyResponseModel: "The model that answered.",
		keyInputTokens:   "Tokens of the prompt, as the answer counts them.",
		keyOutputTokens:  "Tokens of the answer, as it counts them.",
		keyCachedTokens:  "Tokens of the prompt that were cached, where the answer says so.",
		keyTokenType:     "input or output.",
		keyServerAddress: "Of a request the host that its client named; of an attempt that of the engine or provider.",
		keyServerPort:    "The port that goes with server.address.",
		keyPath:          "The endpoint, such as /v1/chat/completions; never a query.",
		keyMethod:        "POST.",
		keyStatusCode:    "The status that the client got, or that the upstream sent.",
		keyErrorType:     "The kind of problem, as docs/API.md lists them; absent on success. Of a load or a batch: failed or cancelled.",
		keyMemoryType:    "stack or other.",
		keyRequestID:     "The request id, by which audit and log are searched.",
		keyBackend:       "LOCAL, OPENAI or ANTHROPIC, as in the audit.",
		keyProvider:      "The engine, or the provider's name in the settings; empty when nobody was asked.",
		keyStatus:        "success, error, timeout, cancelled or interrupted, as in the audit.",
		keyStream:        "Whether the answer was to be streamed.",
		keyClient:        "The product of the User-Agent, such as OpenAI/Python 2.1.",
		keyAttempt:       "Which attempt of its request this is; the first is 1.",
		keyFirstToken:    "Seconds from the request's arrival to the first token of its stream.",
		keyEngine:        "The engine, such as llamacpp.",
		keyResult:        "ready, failed or cancelled.",
		keyRecords:       "How many records the transaction wrote.",
	}
}

// Span is one sort of span, for the documentation.
type Span struct {
	Name, Kind, Description string
	Attributes              []string
}

// Spans are all sorts.
func Spans() []Span {
	return []Span{
		{"{operation} {model}", "server", "A request, from its arrival to the end of its answer. Its parent is the client's span, where the client sent one.", []string{
			keyOperation, keyProviderName, keyRequestModel, keyResponseModel, keyInputTokens, keyOutputTokens, keyCachedTokens,
			keyServerAddress, keyServerPort, keyPath, keyMethod, keyStatusCode, keyErrorType,
			keyRequestID, keyBackend, keyProvider, keyStatus, keyStream, keyClient, keyFirstToken}},
		{"{operation} {model}", "client", "One attempt to have an engine or a provider answer; a child of the request.", []string{
			keyOperation, keyProviderName, keyRequestModel, keyServerAddress, keyServerPort, keyMethod, keyStatusCode, keyErrorType,
			keyBackend, keyProvider, keyAttempt}},
		{"load {model}", "internal", "The load of a model's engine; a child of the request that caused it, if one did.", []string{
			keyRequestModel, keyEngine, keyResult, keyErrorType}},
		{"audit batch", "internal", "One transaction of the audit; linked to the requests that it completed.", []string{
			keyRecords, keyErrorType}},
	}
}
