package telemetry

import (
	"log/slog"
	"strings"
	"sync"
	"time"
)

const (
	// reportEvery keeps a collector that is away from filling the log.
	reportEvery = time.Minute
	// maxCause is how much of a complaint is logged: it may hold what a collector answered.
	maxCause = 300
)

// reporter logs that telemetry cannot be delivered, or keeps it for the end where there is no log.
type reporter struct {
	words words
	now   func() time.Time

	mu     sync.Mutex
	log    *slog.Logger // nil: said at the end
	closed bool
	last   time.Time
	unsaid int
	kept   error // the first complaint that no log has
}

func newReporter(log *slog.Logger, words words) *reporter {
	return &reporter{log: log, words: words, now: time.Now}
}

// words puts a complaint into those that may be logged: a collector may quote its key.
type words struct{ secrets *strings.Replacer }

func newWords(secrets []string) words {
	var pairs []string
	for _, s := range secrets {
		if s != "" {
			pairs = append(pairs, s, "…")
		}
	}
	return words{strings.NewReplacer(pairs...)}
}

func (w words) of(err error) string {
	cause := strings.Join(strings.Fields(w.secrets.Replace(err.Error())), " ")
	if len(cause) > maxCause {
		cause = strings.ToValidUTF8(cause[:maxCause], "") + "…"
	}
	return cause
}

// Handle is called by the exporters' goroutines.
func (r *reporter) Handle(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if r.closed || err == nil {
		return
	}
	if r.log == nil {
		if r.kept == nil {
			r.kept = err
		}
		return
	}
	if !r.last.IsZero() && now.Sub(r.last) < reportEvery {
		r.unsaid++
		return
	}
	r.log.Warn("telemetry could not be delivered; requests are served as ever", "cause", r.words.of(err), "unsaid", r.unsaid)
	r.last, r.unsaid = now, 0
}

// close gives what nobody was told.
func (r *reporter) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	return r.kept
}
