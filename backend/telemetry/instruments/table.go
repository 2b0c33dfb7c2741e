package instruments

import "slices"

// Kind is what an instrument does with what it is told.
type Kind string

// The kinds.
const (
	Counter   Kind = "counter"
	Histogram Kind = "histogram"
	Gauge     Kind = "gauge"
)

// Instrument is one metric, as OpenTelemetry names it.
type Instrument struct {
	Name        string
	Kind        Kind
	Unit        string
	Description string
	Attributes  []string
	bounds      []float64 // of a histogram
}

// Boundaries that OpenTelemetry's conventions for generative AI set.
var (
	boundsOfRequests = []float64{0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}
	boundsOfFirst    = []float64{0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
	boundsOfTokens   = []float64{0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5}
	boundsOfCounts   = []float64{1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}
)

// Ours.
var (
	boundsOfLoads   = []float64{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640}
	boundsOfBatches = []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096}
	boundsOfWrites  = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5}
)

// ofRequest are the attributes that every metric of requests has.
var ofRequest = []string{keyOperation, keyProviderName, keyRequestModel, keyBackend, keyProvider}

func and(attributes []string, more ...string) []string { return slices.Concat(attributes, more) }

// All the instruments. A new one is a line here and one where it is told something; the tables of
// docs/OBSERVABILITY.md are held against this one.
var (
	requests = Instrument{"mlxbar.requests", Counter, "{request}",
		"Requests that have ended, by how they ended.", and(ofRequest, keyStatus, keyErrorType), nil}
	requestDuration = Instrument{"gen_ai.server.request.duration", Histogram, "s",
		"From a request's arrival to the end of its answer.", and(ofRequest, keyErrorType), boundsOfRequests}
	firstToken = Instrument{"gen_ai.server.time_to_first_token", Histogram, "s",
		"From a request's arrival to the first token of its stream.", ofRequest, boundsOfFirst}
	perToken = Instrument{"gen_ai.server.time_per_output_token", Histogram, "s",
		"Between two tokens of a stream, on average over those after the first.", ofRequest, boundsOfTokens}
	tokenUsage = Instrument{"gen_ai.client.token.usage", Histogram, "{token}",
		"Tokens of one request, as its answer counts them.", and(ofRequest, keyTokenType), boundsOfCounts}
	inFlight = Instrument{"mlxbar.requests.in_flight", Gauge, "{request}",
		"Requests that are being served.", nil, nil}
	waiting = Instrument{"mlxbar.requests.waiting", Gauge, "{request}",
		"Requests among them that wait for an engine to load.", nil, nil}

	engineMemory = Instrument{"mlxbar.engine.memory", Gauge, "By",
		"Resident memory of a loaded engine.", []string{keyEngine, keyRequestModel}, nil}
	memoryUsed = Instrument{"mlxbar.engine.memory.used", Gauge, "By",
		"What an engine that is loaded or being loaded counts for against the limit: its estimate, or what it holds where that is more.", []string{keyEngine, keyRequestModel}, nil}
	memoryLimit = Instrument{"mlxbar.engine.memory.limit", Gauge, "By",
		"What engines may take together; left out where nothing is limited.", nil, nil}
	engineInFlight = Instrument{"mlxbar.engine.in_flight", Gauge, "{request}",
		"Requests that a loaded engine was given, with those that wait inside it.", []string{keyEngine, keyRequestModel}, nil}
	engineSlots = Instrument{"mlxbar.engine.slots", Gauge, "{request}",
		"Requests that a loaded engine answers at once, where that is known.", []string{keyEngine, keyRequestModel}, nil}
	engineWaiting = Instrument{"mlxbar.engine.waiting", Gauge, "{request}",
		"Requests that wait inside a loaded engine: those in flight beyond its slots.", []string{keyEngine, keyRequestModel}, nil}
	engineLoads = Instrument{"mlxbar.engine.loads", Counter, "{load}",
		"Loads that have ended, by how they ended: ready, failed or cancelled.", []string{keyEngine, keyRequestModel, keyResult}, nil}
	loadDuration = Instrument{"mlxbar.engine.load.duration", Histogram, "s",
		"From the start of an engine's load to its first answer.", []string{keyEngine, keyRequestModel}, boundsOfLoads}
	engineCrashes = Instrument{"mlxbar.engine.crashes", Counter, "{crash}",
		"Engines that ended unasked, after which they are started again when needed.", []string{keyEngine, keyRequestModel}, nil}

	auditLag = Instrument{"mlxbar.audit.lag", Gauge, "s",
		"Age of the oldest event of the audit that is not on the disk; 0 when all are.", nil, nil}
	auditQueue = Instrument{"mlxbar.audit.queue.length", Gauge, "{event}",
		"Events of the audit on their way to the disk.", nil, nil}
	batchRecords = Instrument{"mlxbar.audit.batch.records", Histogram, "{record}",
		"Records that one transaction wrote.", nil, boundsOfBatches}
	batchDuration = Instrument{"mlxbar.audit.batch.duration", Histogram, "s",
		"Time that one transaction took.", nil, boundsOfWrites}
	batchFailures = Instrument{"mlxbar.audit.batch.failures", Counter, "{batch}",
		"Transactions that failed; their records are written again.", nil, nil}

	processMemory = Instrument{"process.memory.usage", Gauge, "By",
		"Resident memory of the server, without its engines.", nil, nil}
	processCPU = Instrument{"process.cpu.time", Counter, "s",
		"Processor time of the server, without its engines.", nil, nil}
	processUptime = Instrument{"process.uptime", Gauge, "s",
		"Time since the server started.", nil, nil}
	goMemory = Instrument{"go.memory.used", Gauge, "By",
		"Memory that the Go runtime holds.", []string{keyMemoryType}, nil}
	goAllocated = Instrument{"go.memory.allocated", Counter, "By",
		"Memory that was allocated on the heap.", nil, nil}
	goroutines = Instrument{"go.goroutine.count", Gauge, "{goroutine}",
		"Goroutines that live.", nil, nil}
)

// All gives them in the order of the documentation.
func All() []Instrument {
	return []Instrument{
		requests, requestDuration, firstToken, perToken, tokenUsage, inFlight, waiting,
		engineMemory, memoryUsed, memoryLimit, engineInFlight, engineSlots, engineWaiting, engineLoads, loadDuration, engineCrashes,
		auditLag, auditQueue, batchRecords, batchDuration, batchFailures,
		processMemory, processCPU, processUptime, goMemory, goAllocated, goroutines,
	}
}
