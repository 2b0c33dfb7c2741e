package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"

	"mlxbar/backend/bench"
	"mlxbar/backend/settings"
)

// What a conversion may add.
const (
	maxConvertedMS    = 0.1
	maxConvertedEvent = 20 // us
)

// Paths of the protocols.
const (
	chatPath      = "/v1/chat/completions"
	messagesPath  = "/v1/messages"
	responsesPath = "/v1/responses"
)

// Tokens of the answers. A stream is long enough for its events to outweigh its head.
const (
	convertedTokens = 16
	convertedEvents = 256
)

// direction is a client's protocol and an upstream's.
type direction struct {
	name  string
	path  string
	body  func(model string, stream bool) string
	model string // "ok-" for the upstream that speaks Chat Completions, "ok-0" for the one that speaks Messages
	ends  string // how its streams end
	twin  string // what passes the same answer on as it is
}

var directions = []direction{
	{"chat", chatPath, chatBody, "ok-", "[DONE]", ""},
	{"messages to chat", messagesPath, messagesBody, "ok-", "message_stop", "chat"},
	{"responses to chat", responsesPath, responsesBody, "ok-", "response.completed", "chat"},
	{"messages", messagesPath, messagesBody, "ok-0", "message_stop", ""},
	{"chat to messages", chatPath, chatBody, "ok-0", "[DONE]", "messages"},
	{"responses to messages", responsesPath, responsesBody, "ok-0", "response.completed", "messages"},
}

// conversionRun is every direction, round by round.
type conversionRun struct {
	Events int                          `json:"events"` // tokens of a stream
	Bouts  map[string]*conversionSeries `json:"bouts"`  // by the direction's name
}

type conversionSeries struct {
	JSON []bout `json:"json"`
	SSE  []bout `json:"sse"`
}

// messagesBody is chatBody as clients of Messages write it.
func messagesBody(model string, stream bool) string {
	return fmt.Sprintf(`{"model":%q,"max_tokens":1024,"stream":%v,"temperature":0,"system":"You are a helpful assistant.",`+
		`"messages":[{"role":"user","content":"Tell me about marzipan, and why almonds and sugar go together so well."}]}`, model, stream)
}

// responsesBody is chatBody as clients of Responses write it.
func responsesBody(model string, stream bool) string {
	return fmt.Sprintf(`{"model":%q,"stream":%v,"temperature":0,"instructions":"You are a helpful assistant.",`+
		`"input":[{"role":"user","content":"Tell me about marzipan, and why almonds and sugar go together so well."}]}`, model, stream)
}

// conversion asks in every direction, one after the other in an order that each round draws anew.
func (b *benchmark) conversion(ctx context.Context, p protocolsPlan) (*conversionRun, error) {
	dir := filepath.Join(b.dir, "conversion")
	v1 := b.urls[direct] + "/v1"
	if err := dataFolder(dir, route{Model: "ok-0*", URL: v1, Kind: settings.KindAnthropic}, route{Model: "*", URL: v1}); err != nil {
		return nil, err
	}
	g, err := b.serve(ctx, "mlxbar serve, conversion", dir)
	if err != nil {
		return nil, err
	}
	w := way{name: wayGateway, url: g.url, child: g.child}
	run := &conversionRun{Events: convertedEvents, Bouts: map[string]*conversionSeries{}}
	for _, d := range directions {
		run.Bouts[d.name] = &conversionSeries{}
		if err := d.try(ctx, w); err != nil {
			return nil, err
		}
	}
	for round := range 1 + p.Rounds { // the first warms up
		b.progress("conversion: round %d of %d", round, p.Rounds)
		for _, i := range rand.Perm(len(directions)) {
			s := run.Bouts[directions[i].name]
			for _, stream := range []bool{false, true} {
				out, err := b.putAt(ctx, w, directions[i].path, directions[i].ask(stream), 1, p.Bout)
				switch {
				case err != nil:
					return nil, fmt.Errorf("%s: %w", directions[i].name, err)
				case round == 0:
				case stream:
					s.SSE = append(s.SSE, out)
				default:
					s.JSON = append(s.JSON, out)
				}
			}
		}
	}
	return run, b.end(g.child)
}

// ask is the request of a direction.
func (d direction) ask(stream bool) string {
	tokens := convertedTokens
	if stream {
		tokens = convertedEvents
	}
	return d.body(fmt.Sprintf("%s%d", d.model, tokens), stream)
}

// try holds that a direction's answers are what they should be before they are counted.
func (d direction) try(ctx context.Context, w way) error {
	for _, stream := range []bool{false, true} {
		body, err := w.answers(ctx, d, d.ask(stream), stream)
		if err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
		if passed := strings.Contains(body, upstreamID); passed != (d.twin == "") {
			return fmt.Errorf("%s: passed on as it came: %v; where an answer is converted it has an id of ours", d.name, passed)
		}
	}
	return nil
}

// upstreamID ends the ids of the upstream's own answers.
const upstreamID = "upstream1"

// answers holds that a way answers as the upstream's words have it: in JSON, or in a stream that ends properly.
func (w way) answers(ctx context.Context, d direction, asked string, stream bool) (string, error) {
	status, body, err := w.post(ctx, d.path, asked)
	if err != nil {
		return "", err
	}
	whole := json.Valid([]byte(body))
	if stream {
		whole = strings.Contains(body, d.ends)
	}
	if status != http.StatusOK || !strings.Contains(body, "marzipan") || !whole {
		return "", fmt.Errorf("status %d, which is no answer of that protocol: %.300s", status, body)
	}
	return body, nil
}

// added is what a direction's figure has more than its twin's, round by round.
func (c *conversionRun) added(d direction, series func(*conversionSeries) []bout, of func(bout) float64) float64 {
	return bench.Median(bench.Differences(each(series(c.Bouts[d.name]), of), each(series(c.Bouts[d.twin]), of)))
}

func ofJSON(s *conversionSeries) []bout { return s.JSON }
func ofSSE(s *conversionSeries) []bout  { return s.SSE }

// event is what an event of a stream takes more, as the client waits and in processor time. What
// conversion has to do before the first of them is in it.
func (c *conversionRun) event(d direction) (waited, cpu float64) {
	n := float64(c.Events)
	return c.added(d, ofSSE, func(b bout) float64 { return b.P50US }) / n, c.added(d, ofSSE, bout.cpuUS) / n
}

func (c *conversionRun) judge(aim func(name, wanted, measured string, ok bool)) {
	if c == nil {
		return
	}
	for _, d := range directions {
		if d.twin == "" {
			continue
		}
		ms := c.added(d, ofJSON, bout.p50MS)
		aim("added to a median, "+d.name, "<= 0.10 ms", fmt.Sprintf("%.3f ms", ms), ms <= maxConvertedMS)
	}
	for _, d := range directions {
		if d.twin == "" {
			continue
		}
		us := max(c.event(d))
		aim("added to an event, "+d.name, "<= 20.0 us", fmt.Sprintf("%.1f us", us), us <= maxConvertedEvent)
	}
}

func (c *conversionRun) print(w io.Writer) {
	if c == nil {
		return
	}
	fmt.Fprintf(w, "\n%-23s %8s %8s %8s  %9s %9s %8s\n", "Conversion,", "request", "added", "CPU", "stream of", "added to", "CPU")
	fmt.Fprintf(w, "%-23s %8s %8s %8s  %9s %9s %8s\n", "1 connection", "ms", "ms", "us", fmt.Sprintf("%d, ms", c.Events), "event, us", "us")
	for _, d := range directions {
		s := c.Bouts[d.name]
		fmt.Fprintf(w, "  %-21s %8.3f", d.name, median(s.JSON, bout.p50MS))
		if d.twin == "" {
			fmt.Fprintf(w, " %8s %8s  %9.3f\n", "", "", median(s.SSE, bout.p50MS))
			continue
		}
		waited, cpu := c.event(d)
		fmt.Fprintf(w, " %8.3f %8.1f  %9.3f %9.2f %8.2f\n", c.added(d, ofJSON, bout.p50MS), c.added(d, ofJSON, bout.cpuUS), median(s.SSE, bout.p50MS), waited, cpu)
	}
}
