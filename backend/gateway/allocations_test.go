package gateway

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"mlxbar/backend/activity"
	"mlxbar/backend/audit"
)

// drain is a client that takes everything.
type drain struct{ header http.Header }

func (d drain) Header() http.Header         { return d.header }
func (d drain) Write(p []byte) (int, error) { return len(p), nil }
func (d drain) WriteHeader(int)             {}
func (d drain) FlushError() error           { return nil }

type noRecorder struct{ Recorder }

func (noRecorder) End(*audit.Record) error { return nil }

// oneByOne gives an event a read, as a model makes them.
type oneByOne struct{ events []string }

func (o *oneByOne) Read(p []byte) (int, error) {
	if len(o.events) == 0 {
		return 0, io.EOF
	}
	n := copy(p, o.events[0])
	o.events = o.events[1:]
	return n, nil
}

// Memory per event would have the garbage collector run for every stream, and in the middle of it.
func TestForwardingAnEventTakesNoMemory(t *testing.T) {
	t.Run("as it came", func(t *testing.T) { forwarded(t, target{dialect: chatDialect}, "") })
	// As of a provider that was asked for the usage: every event tells of none but the last.
	t.Run("with the usage kept back", func(t *testing.T) { forwarded(t, target{dialect: chatDialect, hidesUsage: true}, `,"usage":null`) })
}

func forwarded(t *testing.T, to target, member string) {
	token := `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1795495167,"model":"m",` +
		`"choices":[{"index":0,"delta":{"content":" ` + strings.Repeat("glad", 30) + `"},"finish_reason":null}]` + member + "}\n\n"
	stream := func(tokens int) (events []string) {
		for range tokens {
			events = append(events, token)
		}
		return append(events, `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`+"\n\n", "data: [DONE]\n\n")
	}
	requests := activity.NewRequests()
	allocations := func(tokens int) float64 {
		events := stream(tokens)
		return testing.AllocsPerRun(10, func() {
			x := &exchange{
				Gateway: &Gateway{Config: Config{Audit: noRecorder{}, Requests: requests, Logger: slog.New(slog.DiscardHandler)}},
				w:       &trackingWriter{ResponseWriter: drain{http.Header{}}}, start: time.Now(),
			}
			x.request.Stream = true
			x.settings.Timeouts.Idle, x.settings.Timeouts.FirstToken = 60_000_000_000, 60_000_000_000
			x.running = requests.Begin(activity.Running{}, func(error) {})
			rel := newRelay(x, to, func(error) {})
			defer rel.stop()
			if err := rel.events(t.Context(), &oneByOne{events}); err != nil {
				t.Error(err)
			}
			if n := rel.stream.seen().tokens; n < int64(tokens) {
				t.Errorf("%d of %d tokens", n, tokens)
			}
		})
	}
	// What the streams themselves take varies with what is kept from one to the next.
	if few, many := allocations(10), allocations(1010); many-few > 10 {
		t.Errorf("a stream of ten takes %v allocations, one of a thousand more %v", few, many)
	}
}
