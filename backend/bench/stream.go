package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Ask is one streamed chat completion.
type Ask struct {
	BaseURL string // ends in /v1
	Key     string // bearer key, may be empty
	Body    string
}

// StreamResult is a stream from its client's view.
type StreamResult struct {
	Tokens int           `json:"tokens"` // as the usage chunk reports
	Events int           `json:"events"` // events with content
	First  time.Duration `json:"first_ns"`
	Last   time.Duration `json:"last_ns"`
	Total  time.Duration `json:"total_ns"` // until the connection told the end
	Text   string        `json:"-"`
}

// TokensPerSecond counts the whole request, the wait for its first token included.
func (r StreamResult) TokensPerSecond() float64 { return float64(r.Tokens) / r.Total.Seconds() }

type chunk struct {
	Choices []struct {
		Delta struct{ Content string }
	}
	Usage *struct {
		CompletionTokens int `json:"completion_tokens"`
	}
	Error json.RawMessage
}

// Stream asks and reads the answer to its end.
func Stream(ctx context.Context, client *http.Client, a Ask) (StreamResult, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.BaseURL+"/chat/completions", strings.NewReader(a.Body))
	if err != nil {
		return StreamResult{}, fmt.Errorf("bench: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if a.Key != "" {
		req.Header.Set("Authorization", "Bearer "+a.Key)
	}
	start := time.Now()
	res, err := client.Do(req)
	if err != nil {
		return StreamResult{}, fmt.Errorf("bench: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(res.Body, 500))
		return StreamResult{}, fmt.Errorf("bench: %s: %s", res.Status, body)
	}
	return readStream(res.Body, start, time.Now)
}

func readStream(body io.Reader, start time.Time, now func() time.Time) (StreamResult, error) {
	var r StreamResult
	var text strings.Builder
	done := false
	lines := bufio.NewReaderSize(body, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		data, isData := bytes.CutPrefix(bytes.TrimSpace(line), []byte("data: "))
		switch {
		case !isData:
		case string(data) == "[DONE]":
			done = true
		default:
			var c chunk
			if jerr := json.Unmarshal(data, &c); jerr != nil {
				return r, fmt.Errorf("bench: event of the stream: %w", jerr)
			}
			if c.Error != nil {
				return r, fmt.Errorf("bench: the stream brought an error: %s", c.Error)
			}
			r.add(c, &text, now().Sub(start))
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return r, fmt.Errorf("bench: %w", err)
		}
	}
	if !done {
		return r, errors.New("bench: the stream ended without [DONE]")
	}
	r.Total, r.Text = now().Sub(start), text.String()
	return r, nil
}

func (r *StreamResult) add(c chunk, text *strings.Builder, at time.Duration) {
	if c.Usage != nil {
		r.Tokens = c.Usage.CompletionTokens
	}
	for _, choice := range c.Choices {
		if choice.Delta.Content == "" {
			continue
		}
		if r.Events == 0 {
			r.First = at
		}
		r.Events++
		r.Last = at
		text.WriteString(choice.Delta.Content)
	}
}
