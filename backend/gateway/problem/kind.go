package problem

import "net/http"

// A Kind names one way in which a request can fail. The kind decides status,
// title and the codes that the SDKs look at; a handler chooses a kind and never
// a status.
type Kind string

// The kinds of error, in the order of the table below.
const (
	InvalidJSON         Kind = "invalid-json"
	InvalidRequest      Kind = "invalid-request"
	Unauthorized        Kind = "unauthorized"
	ForeignOrigin       Kind = "foreign-origin"
	NotFound            Kind = "not-found"
	ModelNotFound       Kind = "model-not-found"
	MethodNotAllowed    Kind = "method-not-allowed"
	Conflict            Kind = "conflict"
	BodyTooLarge        Kind = "body-too-large"
	UnsupportedMedia    Kind = "unsupported-media-type"
	ForeignHost         Kind = "foreign-host"
	ContextExceeded     Kind = "context-length-exceeded"
	UpstreamRefused     Kind = "upstream-refused"
	RateLimited         Kind = "rate-limited"
	Cancelled           Kind = "cancelled"
	Internal            Kind = "internal"
	UpstreamKey         Kind = "upstream-key"
	UpstreamFailed      Kind = "upstream-failed"
	UpstreamOverloaded  Kind = "upstream-overloaded"
	UpstreamUnreachable Kind = "upstream-unreachable"
	UpstreamCut         Kind = "upstream-cut"
	UpstreamMalformed   Kind = "upstream-malformed"
	EngineUnavailable   Kind = "engine-unavailable"
	EngineStopped       Kind = "engine-stopped"
	AuditUnavailable    Kind = "audit-unavailable"
	ShuttingDown        Kind = "shutting-down"
	ServerStopped       Kind = "server-stopped" // said by the window, for the server that is not there
	Timeout             Kind = "timeout"
	FirstToken          Kind = "first-token-timeout"
	ConnectTimeout      Kind = "connect-timeout"
	AnswerTimeout       Kind = "answer-timeout"
	LocalOnly           Kind = "local-only"
	CircuitOpen         Kind = "circuit-open"
	InvalidKey          Kind = "invalid-api-key"
	ModelNotAllowed     Kind = "model-not-allowed"
	NotOffered          Kind = "not-offered"
	KeychainUnavailable Kind = "keychain-unavailable"
	HubNotFound         Kind = "hub-not-found"
	HubRefused          Kind = "hub-refused"
	HubFailed           Kind = "hub-failed"
	DiskFull            Kind = "disk-full"
	ModelTooLarge       Kind = "model-too-large"
	QueueFull           Kind = "queue-full"
	MalformedRequest    Kind = "malformed-request"
	HeadersTooLarge     Kind = "headers-too-large"
	ExpectationFailed   Kind = "expectation-failed"
	UnsupportedEncoding Kind = "unsupported-encoding"
	UnsupportedVersion  Kind = "unsupported-version"
)

// statusClientClosed is nginx's number for a client that left before its
// answer; no client ever reads it, the audit does.
const statusClientClosed = 499

// statusOverloaded is Anthropic's number for too many requests of all its clients.
const statusOverloaded = 529

type row struct {
	status     int
	title      string
	openAIType string // error.type as OpenAI's API writes it
	openAICode string // error.code, "" for null
	help       string // what /problems/{kind} tells a person
}

// table is the one place where a kind meets its status.
var table = map[Kind]row{
	InvalidJSON:         {http.StatusBadRequest, "Invalid JSON", "invalid_request_error", "invalid_json", "The body of the request is not a JSON object."},
	InvalidRequest:      {http.StatusBadRequest, "Invalid request", "invalid_request_error", "invalid_value", "One or more fields are missing or have a wrong value; errors lists each with its place."},
	Unauthorized:        {http.StatusUnauthorized, "Unauthorized", "authentication_error", "invalid_api_key", "The request needs the admin token from run/admin.token in the data folder, as Authorization: Bearer."},
	ForeignOrigin:       {http.StatusForbidden, "Foreign origin", "permission_error", "foreign_origin", "A web page of another origin asked. List the origin in server.allowed_origins to allow it."},
	NotFound:            {http.StatusNotFound, "Not found", "invalid_request_error", "not_found", "Nothing is served at this path."},
	ModelNotFound:       {http.StatusNotFound, "Model not found", "invalid_request_error", "model_not_found", "No local model has this name and no route matches it, or the provider that it goes to has none; GET /v1/models lists what there is."},
	MethodNotAllowed:    {http.StatusMethodNotAllowed, "Method not allowed", "invalid_request_error", "method_not_allowed", "The path exists but not for this method; the Allow header lists its methods."},
	Conflict:            {http.StatusConflict, "Conflict", "invalid_request_error", "conflict", "What was asked contradicts the present state."},
	BodyTooLarge:        {http.StatusRequestEntityTooLarge, "Body too large", "invalid_request_error", "body_too_large", "The body is over the limit that server.max_body_mb sets."},
	UnsupportedMedia:    {http.StatusUnsupportedMediaType, "Unsupported media type", "invalid_request_error", "unsupported_media_type", "Send the body as Content-Type: application/json."},
	ForeignHost:         {http.StatusMisdirectedRequest, "Foreign host", "invalid_request_error", "foreign_host", "The Host header names another machine; this guards against DNS rebinding. Use 127.0.0.1 or localhost, or from elsewhere the address or the name of the server's machine."},
	ContextExceeded:     {http.StatusBadRequest, "Context length exceeded", "invalid_request_error", "context_length_exceeded", "The prompt has more tokens than the model's context holds."},
	UpstreamRefused:     {http.StatusBadRequest, "Refused by the upstream", "invalid_request_error", "upstream_refused", "The engine or provider refused the request as invalid."},
	RateLimited:         {http.StatusTooManyRequests, "Rate limited", "rate_limit_error", "rate_limit_exceeded", "The provider limits requests; try again after Retry-After."},
	Cancelled:           {statusClientClosed, "Cancelled", "invalid_request_error", "cancelled", "The client left before its answer was complete, or somebody cancelled the request in mlxbar."},
	Internal:            {http.StatusInternalServerError, "Internal error", "server_error", "internal_error", "A defect in mlxbar. The log has the cause under the request id."},
	UpstreamKey:         {http.StatusBadGateway, "No key that the provider takes", "server_error", "upstream_key", "The provider did not accept its API key, or the key is not where the settings say: in the environment variable or in the keychain."},
	UpstreamFailed:      {http.StatusBadGateway, "Upstream failed", "server_error", "upstream_failed", "The engine or provider answered with an error of its own."},
	UpstreamOverloaded:  {statusOverloaded, "Upstream overloaded", "server_error", "overloaded_error", "The provider has too many requests of all its clients; try again later."},
	UpstreamUnreachable: {http.StatusBadGateway, "Upstream unreachable", "server_error", "upstream_unreachable", "No connection to the engine or provider could be made."},
	UpstreamCut:         {http.StatusBadGateway, "Upstream cut the answer off", "server_error", "upstream_cut", "The connection to the engine or provider broke in mid-answer."},
	UpstreamMalformed:   {http.StatusBadGateway, "Upstream answer malformed", "server_error", "upstream_malformed", "The engine or provider answered with something that is not of its protocol."},
	EngineUnavailable:   {http.StatusServiceUnavailable, "Engine unavailable", "server_error", "engine_unavailable", "The engine could not load the model; the engine's log says why."},
	EngineStopped:       {http.StatusBadGateway, "Engine stopped", "server_error", "engine_stopped", "The engine's process ended while it answered."},
	AuditUnavailable:    {http.StatusServiceUnavailable, "Audit unavailable", "server_error", "audit_unavailable", "The audit cannot be written, and no request is served unrecorded."},
	ShuttingDown:        {http.StatusServiceUnavailable, "Shutting down", "server_error", "shutting_down", "The server is stopping and takes no new requests."},
	ServerStopped:       {http.StatusServiceUnavailable, "Server stopped", "server_error", "server_stopped", "mlxbar's server is not running; start it in the window or the menu, or with mlxbar serve."},
	Timeout:             {http.StatusGatewayTimeout, "Timeout", "server_error", "timeout", "The request ran over one of the limits in timeouts."},
	FirstToken:          {http.StatusGatewayTimeout, "No first token in time", "server_error", "first_token_timeout", "The engine or provider sent no token within timeouts.first_token, or within its share of the request's time while another target was to be asked."},
	InvalidKey:          {http.StatusUnauthorized, "Invalid API key", "authentication_error", "invalid_api_key", "server.require_api_key is on, or other machines can reach the server: send an API key that mlxbar gave out, as Authorization: Bearer or X-Api-Key; mlxbar keys create NAME makes one."},
	ModelNotAllowed:     {http.StatusForbidden, "Model not allowed", "permission_error", "model_not_allowed", "The API key was given out for other models."},
	NotOffered:          {http.StatusBadRequest, "Not offered", "invalid_request_error", "not_offered", "The provider of the model speaks a protocol that has no such endpoint, or the engine that runs it does not do what is asked."},
	ConnectTimeout:      {http.StatusGatewayTimeout, "No connection in time", "server_error", "connect_timeout", "The engine or provider took no connection within timeouts.connect."},
	KeychainUnavailable: {http.StatusServiceUnavailable, "Keychain unavailable", "server_error", "keychain_unavailable", "The system's keychain is locked, does not answer, or is not there; unlock it, or name an environment variable in the provider's api_key_env."},
	AnswerTimeout:       {http.StatusGatewayTimeout, "No answer in time", "server_error", "answer_timeout", "The engine or provider gave no answer within its share of the request's time, and another target was to be asked."},
	LocalOnly:           {http.StatusForbidden, "Nothing may leave this machine", "permission_error", "local_only", "The request would leave this machine, and local_only forbids that."},
	HubNotFound:         {http.StatusNotFound, "Not at the Hub", "invalid_request_error", "hub_not_found", "The Hugging Face Hub has no such repository, revision or file, or does not show it without a token that may see it."},
	HubRefused:          {http.StatusForbidden, "Refused by the Hub", "permission_error", "hub_refused", "The Hugging Face Hub wants a token, does not take the one that it was sent, or its person has to accept the model's terms there first."},
	HubFailed:           {http.StatusBadGateway, "The Hub failed", "server_error", "hub_failed", "The Hugging Face Hub could not be reached or did not answer as it should; try again later."},
	DiskFull:            {http.StatusInsufficientStorage, "No room on the disk", "server_error", "disk_full", "The disk has not enough free space for what is to be downloaded."},
	ModelTooLarge:       {http.StatusInsufficientStorage, "Model too large", "server_error", "model_too_large", "The memory that models may take, engines.memory_percent of what the machine can give, does not hold the model, or not beside those that are pinned; a smaller context_size, a smaller model or fewer pinned ones help."},
	QueueFull:           {http.StatusTooManyRequests, "Queue full", "rate_limit_error", "queue_full", "As many requests as engines.queue allows wait for the model to be loaded; try again after Retry-After."},
	MalformedRequest:    {http.StatusBadRequest, "Malformed request", "invalid_request_error", "malformed_request", "The request is no HTTP that can be read: its first line, a header or the length of its body is wrong."},
	HeadersTooLarge:     {http.StatusRequestHeaderFieldsTooLarge, "Headers too large", "invalid_request_error", "headers_too_large", "The address and the headers of the request have more than 64 KiB together."},
	ExpectationFailed:   {http.StatusExpectationFailed, "Expectation failed", "invalid_request_error", "expectation_failed", "The request has an Expect header that is not 100-continue."},
	UnsupportedEncoding: {http.StatusNotImplemented, "Unsupported transfer encoding", "invalid_request_error", "unsupported_encoding", "The body of the request has a Transfer-Encoding that is not chunked."},
	UnsupportedVersion:  {http.StatusHTTPVersionNotSupported, "Unsupported version", "invalid_request_error", "unsupported_version", "The request is of a version of HTTP that is neither 1.0 nor 1.1."},
	CircuitOpen:         {http.StatusServiceUnavailable, "Left alone after failures", "server_error", "circuit_open", "Every target of the request failed several times in a row and is left alone for a while; try again after Retry-After."},
}

// Status is the HTTP status of k; an unknown kind is a defect and answers 500.
func (k Kind) Status() int { return k.row().status }

// Title is the short, constant sentence for k.
func (k Kind) Title() string { return k.row().title }

func (k Kind) row() row {
	if r, ok := table[k]; ok {
		return r
	}
	return table[Internal]
}
