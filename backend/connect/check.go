package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"mlxbar/backend/gateway/problem"
)

// CheckTime bounds a check, the loading of a model included.
const CheckTime = 2 * time.Minute

// maxProblem bounds a problem document.
const maxProblem = 64 << 10

// mostModels is how many models are named to somebody who asked for another.
const mostModels = 12

// Checker asks this server as a tool does, through its real address.
type Checker struct {
	// URL is where the server is, http://HOST:PORT.
	URL func() string
	// Pass lets a request in where an API key is required and none is given: the check is the house's own.
	Pass    string
	Version string
	Client  *http.Client
	// Limit bounds a check; 0 is CheckTime.
	Limit time.Duration
	Now   func() time.Time // nil is time.Now
}

// Result is what came of a check.
type Result struct {
	Tool  string `json:"tool"`
	Model string `json:"model"`
	OK    bool   `json:"ok"`
	// Of a failure.
	Kind    string `json:"kind" doc:"The kind of problem; empty when all is well, or when the answer has no place for it."`
	Summary string `json:"summary" doc:"One sentence for a person."`
	Advice  string `json:"advice" doc:"What to do about it; empty when all is well."`
	// Notes are what a person should know all the same.
	Notes []string `json:"notes" nullable:"false"`

	Endpoint  string `json:"endpoint"`
	RequestID string `json:"request_id" doc:"Its record in the audit; empty when the server could not be asked."`

	Backend     string   `json:"backend" doc:"LOCAL, OPENAI or ANTHROPIC; empty when nothing answered."`
	Provider    string   `json:"provider"`
	ServedModel string   `json:"served_model"`
	Attempts    int      `json:"attempts"`
	Dropped     []string `json:"dropped" nullable:"false" doc:"Parts of the request that were left out on the way."`

	TTFTMS           *float64 `json:"ttft_ms" doc:"Until the first token."`
	DurationMS       float64  `json:"duration_ms"`
	PromptTokens     *int64   `json:"prompt_tokens"`
	CompletionTokens *int64   `json:"completion_tokens"`
	ToolCalled       *bool    `json:"tool_called" doc:"Whether the model called a tool that it was offered; null for a tool that offers none."`
}

// Check has tool ask for model, once, and tells how that went. An empty key asks as the house itself.
func (c *Checker) Check(ctx context.Context, tool Tool, model, key string) (Result, error) {
	limit := c.Limit
	if limit == 0 {
		limit = CheckTime
	}
	over := problem.Newf(problem.Timeout, "There was no whole answer within %g seconds.", limit.Seconds())
	ctx, cancel := context.WithTimeoutCause(ctx, limit, over)
	defer cancel()
	endpoint, _, _ := strings.Cut(tool.ask.path, "?")
	out := Result{Tool: tool.ID, Model: model, Endpoint: endpoint, Notes: []string{}, Dropped: []string{}}
	secret := key
	if secret == "" {
		secret = c.Pass
	}
	request, err := tool.request(ctx, c.URL(), model, secret, c.Version)
	if err != nil {
		return out, err
	}
	start := c.now()
	resp, err := c.Client.Do(request)
	if err != nil {
		out.DurationMS = milliseconds(c.now().Sub(start))
		return out, c.transport(ctx, &out, err, false)
	}
	defer resp.Body.Close()
	out.head(resp.Header)
	if resp.StatusCode != http.StatusOK {
		err = c.refused(ctx, &out, resp, secret)
	} else {
		err = c.answered(ctx, &out, tool, resp, start)
	}
	out.DurationMS = milliseconds(c.now().Sub(start))
	return out, err
}

func (c *Checker) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// head keeps what the answer's head says of who gave it.
func (r *Result) head(h http.Header) {
	r.RequestID = h.Get("X-Request-Id")
	r.Backend, r.Provider, r.ServedModel = h.Get("X-Mlxbar-Backend"), h.Get("X-Mlxbar-Provider"), h.Get("X-Mlxbar-Model")
	r.Attempts, _ = strconv.Atoi(h.Get("X-Mlxbar-Attempts"))
	if dropped := h.Get("X-Mlxbar-Dropped"); dropped != "" {
		r.Dropped = strings.Split(dropped, ", ")
	}
}

// fail is a failure in words.
func (r *Result) fail(kind problem.Kind, detail string) {
	r.OK, r.Kind, r.Summary, r.Advice = false, string(kind), detail, adviceFor(kind)
	if kind == "" {
		r.Advice = "The audit says more under the request's id."
	}
}

// transport tells of a request or answer whose connection broke. Who asked for the check and has left gets the error itself.
func (c *Checker) transport(ctx context.Context, r *Result, err error, begun bool) error {
	var over *problem.Error
	switch {
	case errors.As(context.Cause(ctx), &over) && over.Kind == problem.Timeout:
		r.fail(problem.Timeout, over.Detail)
	case ctx.Err() != nil:
		return fmt.Errorf("connect: %w", context.Cause(ctx))
	case !begun:
		r.fail("", "The server could not be asked at its own address.")
		r.Advice = "Another program may keep connections on this machine from being made: a firewall or a filter of the network."
	default:
		r.fail(problem.UpstreamCut, "The answer broke off before its end.")
	}
	return nil
}

// refused reads an answer that is a problem.
func (c *Checker) refused(ctx context.Context, r *Result, resp *http.Response, secret string) error {
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	if err != nil {
		return c.transport(ctx, r, err, true)
	}
	var doc problem.Document
	if json.Unmarshal(raw, &doc) != nil || doc.Detail == "" {
		r.fail("", fmt.Sprintf("The server answered %d without saying why.", resp.StatusCode))
		return nil
	}
	kind := problem.Kind(strings.TrimPrefix(doc.Type, "/problems/"))
	r.fail(kind, doc.Detail)
	if kind == problem.ModelNotFound {
		if names := c.models(ctx, secret); len(names) > 0 {
			r.Summary = fmt.Sprintf("There is no model %s. There are: %s.", r.Model, list(names))
		}
	}
	return nil
}

// models asks what models there are; none when that cannot be told.
func (c *Checker) models(ctx context.Context, secret string) (names []string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL()+"/v1/models", nil)
	if err != nil {
		return nil
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	resp, err := c.Client.Do(req)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	var answer struct{ Data []struct{ ID string } }
	if resp.StatusCode != http.StatusOK || json.NewDecoder(resp.Body).Decode(&answer) != nil {
		return nil
	}
	for _, m := range answer.Data {
		names = append(names, m.ID)
	}
	return names
}

func list(names []string) string {
	if more := len(names) - mostModels; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:mostModels], ", "), more)
	}
	return strings.Join(names, ", ")
}

// answered reads an answer that began well.
func (c *Checker) answered(ctx context.Context, r *Result, tool Tool, resp *http.Response, start time.Time) error {
	h, err := read(tool.ask.protocol, resp.Body, c.now)
	r.PromptTokens, r.CompletionTokens = h.prompt, h.completion
	if !h.first.IsZero() {
		ttft := milliseconds(h.first.Sub(start))
		r.TTFTMS = &ttft
	}
	switch {
	case h.fault != nil:
		r.fail(h.fault.kind, h.fault.detail)
		return nil
	case err != nil:
		return c.transport(ctx, r, err, true)
	case h.headless:
		r.fail(problem.UpstreamMalformed, "The answer did not begin with the event that its protocol begins with.")
		return nil
	case !h.ended:
		r.fail(problem.UpstreamCut, "The answer ended without the event that its protocol ends with.")
		return nil
	}
	r.OK, r.Summary = true, fmt.Sprintf("%s can ask %s.", tool.Name, r.Model)
	if tool.ask.agent {
		r.ToolCalled = &h.called
		if !h.called {
			r.Notes = append(r.Notes, "The model did not call the tool that it was offered. The connection is well, but a coding agent needs a model that calls tools.")
		}
	}
	if h.first.IsZero() {
		r.Notes = append(r.Notes, "The model answered with nothing.")
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
