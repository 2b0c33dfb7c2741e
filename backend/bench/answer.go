package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
)

// Ask is one chat completion.
type Ask struct {
	BaseURL string // ends in /v1
	Key     string // bearer key, may be empty
	Agent   string // the User-Agent, Go's own when empty
	Body    string
	// Traceparent tells the server which trace the request belongs to; "" tells it none.
	Traceparent string
}

// Answer is an answer from its client's view.
type Answer struct {
	Tokens int           `json:"tokens"` // as the usage reports
	Events int           `json:"events"` // events with content; none of an answer in one piece
	First  time.Duration `json:"first_ns"`
	Last   time.Duration `json:"last_ns"`
	Total  time.Duration `json:"total_ns"` // until the connection told the end
	Text   string        `json:"-"`

	PromptTokens int             `json:"-"`
	CachedTokens int             `json:"-"` // of the prompt, found in a cache
	Counted      bool            `json:"-"` // the answer brought a usage
	Gaps         []time.Duration `json:"-"` // between one event with content and the next
	Engine       *EngineTimes    `json:"-"` // nil when the engine tells none
	Fingerprint  string          `json:"-"` // of the system that answered, as it tells it
}

// EngineTimes is what llama.cpp says of its own work on a request.
type EngineTimes struct {
	CacheN      int     `json:"cache_n"`
	PromptN     int     `json:"prompt_n"` // tokens that were read, without those out of the cache
	PromptMS    float64 `json:"prompt_ms"`
	PredictedN  int     `json:"predicted_n"`
	PredictedMS float64 `json:"predicted_ms"`
}

// TokensPerSecond counts the whole request, the wait for its first token included.
func (r Answer) TokensPerSecond() float64 { return float64(r.Tokens) / r.Total.Seconds() }

type piece struct {
	Content          string
	ReasoningContent string `json:"reasoning_content"`
	ToolCalls        []struct {
		Function struct{ Name, Arguments string }
	}
}

func (p piece) text() string {
	text := p.ReasoningContent + p.Content
	for _, c := range p.ToolCalls {
		text += c.Function.Name + c.Function.Arguments
	}
	return text
}

// chunk is an event of a stream, or a whole answer.
type chunk struct {
	Choices []struct{ Delta, Message piece }
	Usage   *struct {
		PromptTokens     int `json:"prompt_tokens"`
		CompletionTokens int `json:"completion_tokens"`
		Details          struct {
			CachedTokens int `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
	}
	Timings     *EngineTimes
	Fingerprint string `json:"system_fingerprint"`
	Error       json.RawMessage
}

// Stream asks for a stream and reads it to its end.
func Stream(ctx context.Context, client *http.Client, a Ask) (Answer, error) {
	return request(ctx, client, a, func(body io.Reader, kind string, start time.Time) (Answer, error) {
		if kind != "text/event-stream" {
			return Answer{}, &Failure{Kind: Malformed, err: fmt.Errorf("%q is no stream", kind)}
		}
		return readStream(body, start, time.Now)
	})
}

// Whole asks for an answer in one piece.
func Whole(ctx context.Context, client *http.Client, a Ask) (Answer, error) {
	return request(ctx, client, a, func(body io.Reader, _ string, start time.Time) (Answer, error) {
		return readWhole(body, start, time.Now)
	})
}

func request(ctx context.Context, client *http.Client, a Ask, read func(io.Reader, string, time.Time) (Answer, error)) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.BaseURL+"/chat/completions", strings.NewReader(a.Body))
	if err != nil {
		return Answer{}, fmt.Errorf("bench: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if a.Key != "" {
		req.Header.Set("Authorization", "Bearer "+a.Key)
	}
	if a.Agent != "" {
		req.Header.Set("User-Agent", a.Agent)
	}
	if a.Traceparent != "" {
		req.Header.Set("Traceparent", a.Traceparent)
	}
	// As clients do, ask again where a kept connection turns out to have been closed: llama.cpp's
	// server closes one after a hundred requests, unannounced. The entry itself is not sent.
	req.Header["Idempotency-Key"] = []string{}
	start := time.Now()
	res, err := client.Do(req)
	if err != nil {
		return Answer{}, transportFailure(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return Answer{}, statusFailure(res)
	}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	return read(res.Body, kind, start)
}

func readWhole(body io.Reader, start time.Time, now func() time.Time) (Answer, error) {
	raw, err := io.ReadAll(body)
	if err != nil {
		return Answer{}, transportFailure(err)
	}
	r := Answer{Total: now().Sub(start)}
	var c chunk
	if err := json.Unmarshal(raw, &c); err != nil {
		return Answer{}, &Failure{Kind: Malformed, err: err}
	}
	if c.Error != nil {
		return Answer{}, &Failure{Kind: ErrorInAnswer, err: fmt.Errorf("the answer is an error: %s", c.Error)}
	}
	r.note(c)
	for _, choice := range c.Choices {
		r.Text += choice.Message.text()
	}
	return r, nil
}

func readStream(body io.Reader, start time.Time, now func() time.Time) (Answer, error) {
	var r Answer
	var text strings.Builder
	done := false
	lines := bufio.NewReaderSize(body, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		data, isData := bytes.CutPrefix(bytes.TrimSpace(line), []byte("data:"))
		data = bytes.TrimSpace(data)
		switch {
		case !isData:
		case string(data) == "[DONE]":
			done = true
		default:
			var c chunk
			if jerr := json.Unmarshal(data, &c); jerr != nil {
				return r, &Failure{Kind: Malformed, err: fmt.Errorf("event of the stream: %w", jerr)}
			}
			if c.Error != nil {
				return r, &Failure{Kind: ErrorInAnswer, err: fmt.Errorf("the stream brought an error: %s", c.Error)}
			}
			r.add(c, &text, now().Sub(start))
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return r, transportFailure(err)
		}
	}
	if !done {
		return r, &Failure{Kind: Cut, err: errors.New("the stream ended without [DONE]")}
	}
	r.Total, r.Text = now().Sub(start), text.String()
	return r, nil
}

func (r *Answer) add(c chunk, text *strings.Builder, at time.Duration) {
	r.note(c)
	for _, choice := range c.Choices {
		said := choice.Delta.text()
		if said == "" {
			continue
		}
		if r.Events == 0 {
			r.First = at
		} else {
			r.Gaps = append(r.Gaps, at-r.Last)
		}
		r.Events++
		r.Last = at
		text.WriteString(said)
	}
}

// note keeps what an answer says of itself.
func (r *Answer) note(c chunk) {
	if c.Usage != nil {
		r.Counted = true
		r.Tokens, r.PromptTokens, r.CachedTokens = c.Usage.CompletionTokens, c.Usage.PromptTokens, c.Usage.Details.CachedTokens
	}
	if c.Timings != nil {
		r.Engine = c.Timings
	}
	if c.Fingerprint != "" {
		r.Fingerprint = c.Fingerprint
	}
}
