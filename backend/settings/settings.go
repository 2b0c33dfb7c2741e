// Package settings is what a person can set: one struct, its defaults and
// limits, the file settings.json that holds it, and the announcement of changes.
package settings

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"mlxbar/backend/loopback"
)

// Settings is the whole of settings.json. A field that stands here has an effect.
type Settings struct {
	Schema    string     `json:"$schema,omitempty" doc:"The JSON Schema of this file, for editors."`
	Version   int        `json:"version" doc:"The version of this file's layout." default:"2"`
	Server    Server     `json:"server" doc:"The address that tools speak to."`
	Timeouts  Timeouts   `json:"timeouts" doc:"How long one request may take, on this machine or at a provider."`
	Engines   Engines    `json:"engines" doc:"The engines that run models on this machine."`
	Models    Models     `json:"models" doc:"Where models lie on this machine."`
	Providers []Provider `json:"providers" doc:"Servers elsewhere that requests may be passed on to."`
	Routes    []Route    `json:"routes" doc:"Which models go where, in order; without a match a request stays on this machine."`
	LocalOnly bool       `json:"local_only" doc:"Nothing leaves this machine: a request that would is refused, and no model is looked for or downloaded." default:"false"`
	Downloads Downloads  `json:"downloads" doc:"How models are fetched from the Hugging Face Hub, when somebody asks for one."`
	Ledger    Ledger     `json:"ledger" doc:"What requests cost; what providers charge stands in prices.json."`
	Audit     Audit      `json:"audit" doc:"The record of requests; metadata only, never content."`
	Telemetry Telemetry  `json:"telemetry" doc:"Where the server tells how it does, for those who watch it with tools of their own; metadata only, never content."`
}

// Provider is the provider of that name among those of s, nil when there is none.
func (s *Settings) Provider(name string) *Provider {
	for i := range s.Providers {
		if s.Providers[i].Name == name {
			return &s.Providers[i]
		}
	}
	return nil
}

// Server is where mlxbar listens.
type Server struct {
	Addr           string   `json:"addr" doc:"Host and port. Beyond 127.0.0.1, [::1] and localhost, such as at 0.0.0.0, other machines can ask, and requests then need an API key in any case." default:"127.0.0.1:10242" rule:"address"`
	RequireAPIKey  bool     `json:"require_api_key" doc:"Requests need an API key that mlxbar gave out, also on this machine." default:"false"`
	AllowedOrigins []string `json:"allowed_origins" doc:"Web origins whose pages may ask, such as http://localhost:3000." rule:"origin"`
	MaxBodyMB      int      `json:"max_body_mb" doc:"The largest request body, in MiB (1 to 1024)." default:"64" min:"1" max:"1024"`
}

// Timeouts bound one request. The first three are totals per endpoint, 1m to 120m.
type Timeouts struct {
	Chat        Duration `json:"chat" doc:"Total for a chat completion (1m to 120m)." default:"15m" min:"1m" max:"120m"`
	Completions Duration `json:"completions" doc:"Total for a completion (1m to 120m)." default:"10m" min:"1m" max:"120m"`
	Embeddings  Duration `json:"embeddings" doc:"Total for embeddings (1m to 120m)." default:"2m" min:"1m" max:"120m"`
	Connect     Duration `json:"connect" doc:"To open a connection to an engine or provider (1s to 2m)." default:"10s" min:"1s" max:"2m"`
	FirstToken  Duration `json:"first_token" doc:"Until a stream's first token (1s to 120m)." default:"5m" min:"1s" max:"120m"`
	Idle        Duration `json:"idle" doc:"Between two events of a stream after its first token; pings do not count (1s to 120m)." default:"2m" min:"1s" max:"120m"`
}

// Engines configures local inference.
type Engines struct {
	MemoryPercent     int      `json:"memory_percent" doc:"How much of what the machine can give models may take together, in per cent (10 to 95). To make room, the model that was used least lately is unloaded once it has answered." default:"75" min:"10" max:"95"`
	IdleUnloadMinutes int      `json:"idle_unload_minutes" doc:"A model that nobody has asked for so many minutes is unloaded; 0 is never (0 to 1440)." default:"0" min:"0" max:"1440"`
	Queue             int      `json:"queue" doc:"Requests that may wait for a model to be loaded; more are refused for the time being (1 to 4096)." default:"64" min:"1" max:"4096"`
	LlamaCPP          LlamaCPP `json:"llamacpp" doc:"llama.cpp, for GGUF models."`
	MLX               MLX      `json:"mlx" doc:"mlx-lm, for models in MLX's format."`
	// KeepAwake is about idle sleep alone: who closes the lid is not kept from it.
	KeepAwake bool `json:"keep_awake" doc:"The machine does not go to sleep by itself while an engine answers." default:"true"`
}

// Models is where models lie beside the models folder of the data folder, and what is set for single ones.
type Models struct {
	Folders []string        `json:"folders" doc:"More folders with models, such as ~/.cache/huggingface/hub or ~/.lmstudio/models; they are read and never written to." rule:"folder"`
	Each    []ModelSettings `json:"each" doc:"What is set for single models; what is left out is as for all."`
}

// ModelSettings are what is set for one model. Zero is as for all models.
type ModelSettings struct {
	Name        string   `json:"name" doc:"The model's name." rule:"text"`
	Pin         bool     `json:"pin,omitempty" doc:"Once loaded it stays: it is not unloaded to make room, nor because nobody asks for it."`
	Preload     bool     `json:"preload,omitempty" doc:"It is loaded when the server starts."`
	ContextSize int      `json:"context_size,omitempty" doc:"Tokens of context per slot, in place of engines.llamacpp.context_size (128 to 1048576)." min:"128" max:"1048576"`
	Parallel    int      `json:"parallel,omitempty" doc:"Requests answered at once (1 to 64); left out it is engines.llamacpp.parallel, and of a model of the format mlx eight." min:"1" max:"64"`
	Draft       string   `json:"draft,omitempty" doc:"A small GGUF model of the same family that guesses ahead, so that this one answers faster. Not for models of the format mlx." rule:"text"`
	Arguments   []string `json:"arguments,omitempty" doc:"Further arguments of llama-server as it takes them, such as --flash-attn, on, --cache-type-k, q8_0. Not for models of the format mlx." rule:"argument"`
}

// Of is what is set for the model of that name; nothing but the name where nothing is.
func (m Models) Of(name string) ModelSettings {
	for _, each := range m.Each {
		if strings.EqualFold(each.Name, name) {
			return each
		}
	}
	return ModelSettings{Name: name}
}

// Tuned is how llama.cpp is set for one model.
func (s Settings) Tuned(model string) LlamaCPP {
	each, tuned := s.Models.Of(model), s.Engines.LlamaCPP
	tuned.ContextSize = cmp.Or(each.ContextSize, tuned.ContextSize)
	tuned.Parallel = cmp.Or(each.Parallel, tuned.Parallel)
	return tuned
}

// LlamaCPP tunes the llama.cpp engine. Zero leaves the choice to llama.cpp.
type LlamaCPP struct {
	Command     string `json:"command" doc:"A llama-server of your own to run in place of the one that mlxbar brings along: its whole path, such as /opt/homebrew/bin/llama-server; empty takes the one brought along." rule:"program"`
	ContextSize int    `json:"context_size" doc:"Tokens of context per slot; 0 takes the model's own (0 to 1048576)." default:"0" min:"0" max:"1048576"`
	Parallel    int    `json:"parallel" doc:"Requests answered at once (1 to 64)." default:"4" min:"1" max:"64"`
	Threads     int    `json:"threads" doc:"CPU threads; 0 lets llama.cpp choose (0 to 512)." default:"0" min:"0" max:"512"`
}

// MLX configures the MLX engine.
type MLX struct {
	Enabled Switch `json:"enabled" doc:"auto, on or off. auto is on where MLX is made for, which is Macs with Apple silicon, and off elsewhere; on Linux it then runs on the processor, slowly. Its programs are fetched when the first of its models is used." default:"auto" enum:"auto,on,off"`
}

// Switch is on, off, or as suits the machine.
type Switch string

// The positions of a Switch.
const (
	Auto Switch = "auto"
	On   Switch = "on"
	Off  Switch = "off"
)

// Or is whether s is on, with auto for where the machine suits.
func (s Switch) Or(auto bool) bool { return s == On || s != Off && auto }

// Provider is a server elsewhere. Its key is never in this file: APIKeyEnv names the environment
// variable that holds it, APIKeyKeychain what the OS keychain keeps it under. It stands here so that a key which
// is not to be had, in a keychain that is locked, say, is told from one that never was, and so that a provider keeps
// its key when it is given another name.
type Provider struct {
	Name      string       `json:"name" doc:"The name that routes use." rule:"provider"`
	Kind      ProviderKind `json:"kind" doc:"The protocol that it speaks: openai or anthropic." enum:"openai,anthropic"`
	BaseURL   string       `json:"base_url" doc:"Its address with the version, such as https://api.openai.com/v1." rule:"base-url"`
	APIKeyEnv string       `json:"api_key_env,omitempty" doc:"The environment variable that holds its API key." rule:"env"`
	// APIKeyKeychain is written by who keeps a key there, or takes it away.
	APIKeyKeychain string `json:"api_key_keychain,omitempty" doc:"What the OS keychain keeps its API key under; mlxbar providers set-key writes it. With neither this nor api_key_env no key is sent." rule:"keychain"`
}

// SendsKey says whether p is asked with a key.
func (p Provider) SendsKey() bool { return p.APIKeyEnv != "" || p.APIKeyKeychain != "" }

// ProviderKind is the protocol of a provider.
type ProviderKind string

// OnThisMachine says whether p is a server on this machine.
func (p Provider) OnThisMachine() bool {
	return loopback.Host(p.Host())
}

// Host is the host in p's address, in lower case and without a port. It is asked for each request, so that it does
// without a parser: an address that is valid has nothing before its host but the scheme.
func (p Provider) Host() string {
	_, host, _ := strings.Cut(p.BaseURL, "://")
	host, _, _ = strings.Cut(host, "/")
	if bare, six := strings.CutPrefix(host, "["); six {
		host, _, _ = strings.Cut(bare, "]")
	} else {
		host, _, _ = strings.Cut(host, ":")
	}
	return strings.ToLower(host)
}

// KindOpenAI is any server that speaks OpenAI's protocol, KindAnthropic any that speaks Anthropic's.
const (
	KindOpenAI    ProviderKind = "openai"
	KindAnthropic ProviderKind = "anthropic"
)

// LocalProvider is what a target names for the engines of this machine.
const LocalProvider = "local"

// Route sends the models that match a pattern to targets. In a pattern * stands
// for any characters.
type Route struct {
	Model   string   `json:"model" doc:"A model name or a pattern such as gpt-*." rule:"text"`
	Spread  Spread   `json:"spread,omitempty" doc:"Which target is asked first: order, the first one (the usual); weight, each as often as its weight says; load, the one with the fewest requests for its weight. The others are for when it fails." enum:"order,weight,load"`
	Targets []Target `json:"targets" doc:"Where its requests go: one to sixteen targets." min:"1" max:"16"`
}

// Spread is how a route's requests are spread over its targets.
type Spread string

// The ways to spread.
const (
	InOrder  Spread = "order"
	ByWeight Spread = "weight"
	ByLoad   Spread = "load"
)

// Target is one end of a route.
type Target struct {
	Provider string `json:"provider" doc:"The name of a provider, or local for the engines of this machine." rule:"text"`
	Model    string `json:"model,omitempty" doc:"The model's name there; empty keeps the name asked for."`
	Weight   int    `json:"weight,omitempty" doc:"Its share when requests are spread (1 to 1000); left out it is 1." min:"1" max:"1000"`
}

// Downloads configures how models are fetched.
type Downloads struct {
	Parallel       int `json:"parallel" doc:"Models fetched at once; others wait (1 to 8)." default:"3" min:"1" max:"8"`
	MaxKBPerSecond int `json:"max_kb_per_second" doc:"How fast all of them together may be, in kB a second; 0 is as fast as they come (0 to 10000000)." default:"0" min:"0" max:"10000000"`
}

// Ledger configures how costs are told.
type Ledger struct {
	CompareWith string `json:"compare_with" doc:"The model by whose price the ledger says what requests on this machine would have cost elsewhere; empty compares with none." default:"gpt-5-mini"`
}

// Audit configures the record of requests.
type Audit struct {
	RetentionDays int        `json:"retention_days" doc:"Records older than this are deleted, in days (1 to 3650)." default:"30" min:"1" max:"3650"`
	MaxSizeMB     int        `json:"max_size_mb" doc:"The oldest records go when the database is larger, in MiB (16 to 65536)." default:"512" min:"16" max:"65536"`
	Durability    Durability `json:"durability" doc:"batched: a record is on disk within moments of its request; strict: before its answer ends." default:"batched" enum:"batched,strict"`
}

// Telemetry says where traces, metrics and log lines go. The environment's OTEL_* and
// LOGFIRE_TOKEN win over it.
type Telemetry struct {
	OTLPEndpoint string `json:"otlp_endpoint" doc:"The OpenTelemetry collector that traces, metrics and log lines are sent to, such as http://localhost:4318; while it is empty they stay here. Counts from the server's next start; the variable OTEL_EXPORTER_OTLP_ENDPOINT wins over it." rule:"endpoint"`
	ServiceName  string `json:"service_name" doc:"What the server calls itself there. Counts from the server's next start; the variable OTEL_SERVICE_NAME wins over it." default:"mlxbar" rule:"service"`
}

// Durability says when a record must be on disk.
type Durability string

// Batched lets requests run ahead of the disk while it keeps up; Strict does not.
const (
	Batched Durability = "batched"
	Strict  Durability = "strict"
)

// Duration is a time.Duration that JSON writes as "15m".
type Duration time.Duration

// String writes d without the zero units that time.Duration adds: 15m, not 15m0s.
func (d Duration) String() string {
	v := time.Duration(d)
	switch {
	case v != 0 && v%time.Hour == 0:
		return fmt.Sprintf("%dh", v/time.Hour)
	case v != 0 && v%time.Minute == 0:
		return fmt.Sprintf("%dm", v/time.Minute)
	}
	return v.String()
}

// MarshalJSON writes the string form.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// UnmarshalJSON reads a string such as "15m" or "90s".
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf(`a duration is a string such as "15m"`)
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf(`%q is no duration; write one such as "15m" or "90s"`, s)
	}
	*d = Duration(v)
	return nil
}
