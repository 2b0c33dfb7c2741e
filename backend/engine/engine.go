// Package engine runs models on this machine: a pool of supervised child
// processes, one per loaded model, that requests lease.
package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidwall/gjson"

	"mlxbar/backend/models"
)

// ErrUnknownModel says that no local model has the name.
var ErrUnknownModel = errors.New("no local model of that name")

// ErrClosed says that the pool is closed.
var ErrClosed = errors.New("the engine pool is closed")

// ErrTooLarge is the cause of a LoadError for a model that the memory for models does not hold.
var ErrTooLarge = errors.New("the memory for models does not hold it")

// QueueFullError says that as many requests wait for a model's load as may.
type QueueFullError struct {
	Model      string
	Waiting    int
	RetryAfter time.Duration
}

func (e *QueueFullError) Error() string {
	return fmt.Sprintf("%d requests wait for %s already", e.Waiting, e.Model)
}

// LoadError is a model that could not be loaded. Reason is one sentence for
// anybody, without path or log content; Cause is for the log.
type LoadError struct {
	Model  string
	Reason string
	// Tail is the last lines of the engine's log, where they say more than Reason. They hold
	// no path and nothing of what was asked.
	Tail  []string
	Cause error

	unexplained bool // by the engine itself
}

// Detail is Reason with the last lines of the log, for people.
func (e *LoadError) Detail() string {
	if len(e.Tail) == 0 {
		return e.Reason
	}
	return e.Reason + " Its log ends: " + strings.Join(e.Tail, " | ")
}

func (e *LoadError) Error() string {
	if e.Cause == nil {
		return fmt.Sprintf("load %s: %s", e.Model, e.Reason)
	}
	return fmt.Sprintf("load %s: %s: %v", e.Model, e.Reason, e.Cause)
}

// Unwrap gives the cause.
func (e *LoadError) Unwrap() error { return e.Cause }

// State is what a model's engine does.
type State string

// The states of a model.
const (
	Idle       State = "idle"
	Installing State = "installing"
	Loading    State = "loading"
	Ready      State = "ready"
	Failed     State = "failed"
)

// Status is a model's engine at one moment, as /api/status shows it.
type Status struct {
	Model  string `json:"model"`
	Engine string `json:"engine"`
	State  State  `json:"state" enum:"idle,installing,loading,ready,failed"`
	Detail string `json:"detail"`
	// Log is apart from Detail: a list shows the sentence, a page the lines, too.
	Log         []string `json:"log,omitempty" doc:"The last lines of its log, where it has failed and they tell more. They hold no path and nothing of what was asked."`
	PID         int      `json:"pid"`
	MemoryBytes uint64   `json:"memory_bytes"`
	Charged     int64    `json:"charged_bytes" doc:"What counts of it against the limit of memory, also while it is loaded: the estimate, or what it holds where that is more."`
	InFlight    int      `json:"in_flight" doc:"Requests that it was given and has not answered to their end."`
	Slots       int      `json:"slots" doc:"How many it answers at once; 0 while nothing is loaded, or where that is not known."`
	Waiting     int      `json:"waiting" doc:"Those in flight that are more than that: they wait inside it."`
	Queued      int      `json:"queued" doc:"Requests that wait for the model to be loaded."`
	Pinned      bool     `json:"pinned" doc:"It is unloaded by hand only, as models.each says."`
	LastUsed    string   `json:"last_used" doc:"When a request to it last began or ended (RFC 3339); empty when none has."`
}

// Engine knows how one kind of child process is started.
type Engine interface {
	Name() string
	// Prepare installs what is missing, and costs next to nothing when nothing is.
	Prepare(ctx context.Context, report func(string)) error
	// Launch says how to start a child for model, with a new key each time.
	Launch(model models.Model) (Spec, error)
}

// Library finds models on disk.
type Library interface {
	Find(name string) (models.Model, error)
}

// Source brings the model that it offers.
type Source interface {
	models.Source
	Fetch(ctx context.Context, report func(string)) error
}

// Spec says how one child is started and asked.
type Spec struct {
	Command string
	Args    []string
	Env     []string // the whole environment
	// Stdin is written to the child's stdin first; stdin then stays open until
	// the child must end.
	Stdin  []byte
	APIKey string
	// Ready reads one line of output; ok when it tells the base URL.
	Ready func(line []byte) (baseURL string, ok bool)
	// Health is a path under the base URL that answers 200 to the key while the child is well.
	Health string
	// Identity is what the answer at Health holds of this one child, such as a word that it alone was
	// given: another program at its address cannot know it. "" where it can be given none.
	Identity string
	// MayBeNameless says that a child may not know Identity, such as an older version: it is asked for
	// it only if it told it when it was ready.
	MayBeNameless bool
	// Turning is a path under the base URL that is answered between two steps of the work on tokens,
	// without a place among them, so that it answers 200 only while that work goes on. "" is Health.
	Turning string
	// Token asks the child for a token, or what else its model makes. Nil where only Health can be asked.
	Token *Question
	// Slots is how many requests the child answers at once, 0 where that is not known.
	// It is given more than that, and has the others wait.
	Slots int
	// LogLine gives what of a line of output may stand in the log, nil for nothing:
	// after the ready line it may hold what somebody asked. Nil keeps all.
	LogLine func(line []byte, ready bool) []byte
	// Explain turns the last lines of a start that failed into a sentence of our
	// own; "" when they say nothing known. May be nil.
	Explain      func(lines []string) string
	StartTimeout time.Duration // 0 is ten minutes
}

// Question is a request that proves that a child makes what it is there for.
type Question struct {
	Path     string // under the base URL
	Body     string // JSON, posted
	Answered func(body []byte) bool
}

// OneToken asks a model that writes for a single token, in OpenAI's protocol, which both engines speak. It is the same
// each time, so that an engine that keeps prompts has it.
var OneToken = &Question{Path: "/v1/completions", Body: `{"prompt":"a","max_tokens":1,"temperature":0,"ignore_eos":true}`, Answered: func(body []byte) bool {
	return gjson.GetBytes(body, "usage.completion_tokens").Int() > 0
}}

// Lease is the right to ask one incarnation of a model's engine.
type Lease struct {
	Engine  string // its name, such as llamacpp
	BaseURL string // such as http://127.0.0.1:40123, without a slash at the end
	APIKey  string
	// Gone is closed when that incarnation's process has ended.
	Gone <-chan struct{}

	release func()
	once    sync.Once
	beats   *atomic.Uint64 // of the incarnation; nil where nobody listens
}

// NewLease makes a lease whose end calls release. Whoever stands in for a Pool
// makes one too.
func NewLease(engine, baseURL, key string, gone <-chan struct{}, release func()) *Lease {
	return &Lease{Engine: engine, BaseURL: baseURL, APIKey: key, Gone: gone, release: release}
}

// Release ends the lease; a second call does nothing.
func (l *Lease) Release() { l.once.Do(l.release) }

// Beat tells that the engine has just given a token or a whole answer: it is well, and needs no
// probe. It costs some nanoseconds.
func (l *Lease) Beat() {
	if l.beats != nil {
		l.beats.Add(1)
	}
}

// Stopped waits up to patience for Gone: a broken connection is often seen
// shortly before the end of the process that caused it.
func (l *Lease) Stopped(patience time.Duration) bool {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-l.Gone:
		return true
	case <-timer.C:
		return false
	}
}
