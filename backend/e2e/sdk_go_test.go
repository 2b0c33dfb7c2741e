package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"

	"mlxbar/backend/testkit/upstream"
)

// How the official Go clients are asked a question, and where their answers have what.

var (
	placeSchema = map[string]any{"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string", "enum": []string{upstream.Marker, "Paris"}}},
		"required": []string{"city"}, "additionalProperties": false}
	tools = []string{"weather", "time"}
)

const (
	picture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
	result  = "It is fine."
	goOn    = "Go on."
)

func (q question) patience() time.Duration {
	if q.Timeout > 0 {
		return time.Duration(q.Timeout * float64(time.Second))
	}
	return patience
}

func (h *house) keyOf(q question) string {
	if q.Key != "" {
		return q.Key
	}
	return h.secrets.clientKey
}

func (h *house) openAI(q question) openai.Client {
	return openai.NewClient(option.WithBaseURL(h.url+"/v1"), option.WithAPIKey(h.keyOf(q)), option.WithMaxRetries(0),
		option.WithHeader("X-Request-ID", q.ID), option.WithRequestTimeout(q.patience()))
}

// raisedBy is what a program learns of an SDK's error.
func raisedBy(err error) *raised {
	var ofOpenAI *openai.Error
	var ofAnthropic *anthropic.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ofOpenAI):
		return &raised{Class: "Error", Kinds: []string{"openai.Error"}, Status: ofOpenAI.StatusCode, Type: ofOpenAI.Type, Message: ofOpenAI.Message}
	case errors.As(err, &ofAnthropic):
		return &raised{Class: "Error", Kinds: []string{"anthropic.Error"}, Status: ofAnthropic.StatusCode, Type: string(ofAnthropic.Type()), Message: err.Error(),
			RequestID: ofAnthropic.RequestID}
	case errors.Is(err, context.DeadlineExceeded):
		return &raised{Class: "Timeout", Message: err.Error()}
	}
	return &raised{Class: "Other", Message: err.Error()}
}

// events are what both clients call a stream.
type events[E any] interface {
	Next() bool
	Current() E
	Err() error
	Close() error
}

// read follows a stream to its end, or until the client has seen the pieces of text for which it stays. take is given every
// event and says whether it has one.
func read[E any](a *answer, q question, stream events[E], take func(E) (text bool, err error)) error {
	defer stream.Close()
	for seen := 0; stream.Next(); {
		text, err := take(stream.Current())
		if err != nil {
			return err
		}
		if text {
			seen++
		}
		if q.LeaveAfter > 0 && seen >= q.LeaveAfter {
			a.Left = true
			return nil
		}
	}
	return stream.Err()
}

func askChat(h *house, q question) (a answer) {
	content := []openai.ChatCompletionContentPartUnionParam{openai.TextContentPart(q.Prompt)}
	if q.Image {
		content = append(content, openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: "data:image/png;base64," + picture}))
	}
	params := openai.ChatCompletionNewParams{Model: q.Model, MaxCompletionTokens: openai.Int(q.Limit), Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(content)}}
	if q.Tools {
		for _, name := range tools {
			params.Tools = append(params.Tools, openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{Name: name, Parameters: placeSchema}))
		}
	}
	if q.Force {
		params.ToolChoice.OfAuto = openai.String("required")
	}
	if q.Schema {
		params.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: "Place", Schema: placeSchema, Strict: openai.Bool(true)}}
	}
	if q.Think {
		params.ReasoningEffort = shared.ReasoningEffortHigh
	}
	whole := a.chat(h, q, params)
	if whole == nil || q.Then == "" {
		return a
	}
	params.Messages = append(params.Messages, whole.ToParam())
	for _, c := range a.Calls {
		params.Messages = append(params.Messages, openai.ToolMessage(result, c.ID))
	}
	params.Messages, params.Model = append(params.Messages, openai.UserMessage(goOn)), q.Then
	var then answer
	then.chat(h, q.next(), params)
	a.Then, a.Error = then.Text, then.Error
	return a
}

// chat asks and notes the answer in a.
func (a *answer) chat(h *house, q question, params openai.ChatCompletionNewParams) *openai.ChatCompletionMessage {
	c := h.openAI(q)
	whole := &openai.ChatCompletion{}
	var err error
	if q.Stream {
		params.StreamOptions.IncludeUsage = openai.Bool(true)
		gathered := openai.ChatCompletionAccumulator{}
		err = read(a, q, c.Chat.Completions.NewStreaming(context.Background(), params), func(chunk openai.ChatCompletionChunk) (text bool, err error) {
			gathered.AddChunk(chunk)
			for _, choice := range chunk.Choices {
				a.Thought += extra(choice.Delta.JSON.ExtraFields["reasoning_content"].Raw())
				text = text || choice.Delta.Content != ""
			}
			return text, nil
		})
		whole = &gathered.ChatCompletion
	} else {
		whole, err = c.Chat.Completions.New(context.Background(), params)
	}
	if a.Error = raisedBy(err); err != nil || a.Left || len(whole.Choices) == 0 {
		return nil
	}
	m := &whole.Choices[0].Message
	a.Text, a.Stop, a.Prompt, a.Completion, a.Cached = m.Content, whole.Choices[0].FinishReason, whole.Usage.PromptTokens, whole.Usage.CompletionTokens, whole.Usage.PromptTokensDetails.CachedTokens
	a.Thought += extra(m.JSON.ExtraFields["reasoning_content"].Raw())
	for _, call := range m.ToolCalls {
		a.Calls = append(a.Calls, toolUse{call.ID, call.Function.Name, call.Function.Arguments})
	}
	a.parse(q)
	return m
}

func extra(raw string) (text string) {
	json.Unmarshal([]byte(raw), &text) // what is no string is none of ours
	return text
}

// parse is for clients that leave the JSON of an answer to their programs.
func (a *answer) parse(q question) {
	if !q.Schema {
		return
	}
	var place struct{ City string }
	if err := json.Unmarshal([]byte(a.Text), &place); err != nil {
		a.Error = &raised{Class: "Other", Message: err.Error()}
	}
	a.Parsed = place.City
}

func askResponses(h *house, q question) (a answer) {
	content := responses.ResponseInputMessageContentListParam{responses.ResponseInputContentParamOfInputText(q.Prompt)}
	if q.Image {
		image := responses.ResponseInputContentParamOfInputImage(responses.ResponseInputImageDetailAuto)
		image.OfInputImage.ImageURL = openai.String("data:image/png;base64," + picture)
		content = append(content, image)
	}
	input := responses.ResponseInputParam{responses.ResponseInputItemParamOfMessage(content, responses.EasyInputMessageRoleUser)}
	params := responses.ResponseNewParams{Model: q.Model, MaxOutputTokens: openai.Int(q.Limit), Store: openai.Bool(false)}
	if q.Tools {
		for _, name := range tools {
			params.Tools = append(params.Tools, responses.ToolUnionParam{OfFunction: &responses.FunctionToolParam{Name: name, Parameters: placeSchema, Strict: openai.Bool(true)}})
		}
	}
	if q.Force {
		params.ToolChoice.OfToolChoiceMode = openai.Opt(responses.ToolChoiceOptionsRequired)
	}
	if q.Schema {
		params.Text.Format.OfJSONSchema = &responses.ResponseFormatTextJSONSchemaConfigParam{Name: "Place", Schema: placeSchema, Strict: openai.Bool(true)}
	}
	if q.Think {
		params.Reasoning = shared.ReasoningParam{Effort: shared.ReasoningEffortHigh, Summary: shared.ReasoningSummaryAuto}
		params.Include = []responses.ResponseIncludable{responses.ResponseIncludableReasoningEncryptedContent}
	}
	params.Input.OfInputItemList = input
	whole := a.response(h, q, params)
	if whole == nil || q.Then == "" {
		return a
	}
	for _, item := range whole.Output {
		switch item := item.AsAny().(type) {
		case responses.ResponseOutputMessage:
			p := item.ToParam()
			input = append(input, responses.ResponseInputItemUnionParam{OfOutputMessage: &p})
		case responses.ResponseFunctionToolCall:
			p := item.ToParam()
			input = append(input, responses.ResponseInputItemUnionParam{OfFunctionCall: &p})
		case responses.ResponseReasoningItem:
			p := item.ToParam()
			input = append(input, responses.ResponseInputItemUnionParam{OfReasoning: &p})
		}
	}
	for _, c := range a.Calls {
		output := responses.ResponseInputItemParamOfFunctionCallOutput(result)
		output.OfFunctionCallOutput.CallID = openai.String(c.ID)
		input = append(input, output)
	}
	params.Model, params.Input.OfInputItemList = q.Then, append(input, responses.ResponseInputItemParamOfMessage(goOn, responses.EasyInputMessageRoleUser))
	var then answer
	then.response(h, q.next(), params)
	a.Then, a.Error = then.Text, then.Error
	return a
}

func (a *answer) response(h *house, q question, params responses.ResponseNewParams) *responses.Response {
	c := h.openAI(q)
	var whole *responses.Response
	var err error
	if q.Stream {
		err = read(a, q, c.Responses.NewStreaming(context.Background(), params), func(e responses.ResponseStreamEventUnion) (text bool, err error) {
			if e.Type == "response.completed" || e.Type == "response.incomplete" {
				whole = &e.Response
			}
			return e.Type == "response.output_text.delta", nil
		})
	} else {
		whole, err = c.Responses.New(context.Background(), params)
	}
	if a.Error = raisedBy(err); err != nil || a.Left || whole == nil {
		return nil
	}
	a.Text, a.Stop, a.Prompt, a.Completion, a.Cached = whole.OutputText(), string(whole.Status), whole.Usage.InputTokens, whole.Usage.OutputTokens, whole.Usage.InputTokensDetails.CachedTokens
	for _, item := range whole.Output {
		switch item := item.AsAny().(type) {
		case responses.ResponseFunctionToolCall:
			a.Calls = append(a.Calls, toolUse{item.CallID, item.Name, item.Arguments})
		case responses.ResponseReasoningItem:
			a.Signature = item.EncryptedContent
			for _, part := range item.Summary {
				a.Thought += part.Text
			}
		}
	}
	a.parse(q)
	return whole
}

func askMessages(h *house, q question) (a answer) {
	content := []anthropic.ContentBlockParamUnion{anthropic.NewTextBlock(q.Prompt)}
	if q.Image {
		content = append(content, anthropic.NewImageBlockBase64("image/png", picture))
	}
	params := anthropic.MessageNewParams{Model: q.Model, MaxTokens: q.Limit, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(content...)}}
	if q.Tools {
		for _, name := range tools {
			params.Tools = append(params.Tools, anthropic.ToolUnionParamOfTool(anthropic.ToolInputSchemaParam{Properties: placeSchema["properties"], Required: []string{"city"}}, name))
		}
	}
	if q.Force {
		params.ToolChoice.OfAny = &anthropic.ToolChoiceAnyParam{}
	}
	if q.Schema {
		params.OutputConfig.Format = anthropic.JSONOutputFormatParam{Schema: placeSchema}
	}
	if q.Think {
		params.Thinking, params.MaxTokens = anthropic.ThinkingConfigParamOfEnabled(1024), 2048
	}
	whole := a.message(h, q, params)
	if whole == nil || q.Then == "" {
		return a
	}
	var results []anthropic.ContentBlockParamUnion
	for _, c := range a.Calls {
		results = append(results, anthropic.NewToolResultBlock(c.ID, result, false))
	}
	params.Model, params.Messages = q.Then, append(params.Messages, whole.ToParam(), anthropic.NewUserMessage(append(results, anthropic.NewTextBlock(goOn))...))
	var then answer
	then.message(h, q.next(), params)
	a.Then, a.Error = then.Text, then.Error
	return a
}

func (a *answer) message(h *house, q question, params anthropic.MessageNewParams) *anthropic.Message {
	c := anthropic.NewClient(anthropicoption.WithBaseURL(h.url), anthropicoption.WithAPIKey(h.keyOf(q)), anthropicoption.WithMaxRetries(0),
		anthropicoption.WithHeader("X-Request-ID", q.ID), anthropicoption.WithRequestTimeout(q.patience()))
	whole := &anthropic.Message{}
	var err error
	if q.Stream {
		err = read(a, q, c.Messages.NewStreaming(context.Background(), params), func(e anthropic.MessageStreamEventUnion) (text bool, err error) {
			if err := whole.Accumulate(e); err != nil {
				return false, fmt.Errorf("the SDK cannot follow the stream: %w", err)
			}
			return e.Delta.Type == "text_delta", nil
		})
	} else {
		whole, err = c.Messages.New(context.Background(), params)
	}
	if a.Error = raisedBy(err); err != nil || a.Left {
		return nil
	}
	u := whole.Usage
	a.Prompt, a.Completion, a.Cached, a.Stop = u.InputTokens+u.CacheReadInputTokens, u.OutputTokens, u.CacheReadInputTokens, string(whole.StopReason)
	for _, b := range whole.Content {
		switch b.Type {
		case "text":
			a.Text += b.Text
		case "thinking":
			a.Thought, a.Signature = b.Thinking, b.Signature
		case "tool_use":
			a.Calls = append(a.Calls, toolUse{b.ID, b.Name, string(b.Input)})
		}
	}
	a.parse(q)
	return whole
}

// isArguments says whether a call has the upstream's, however they are set.
func isArguments(s string) bool { return strings.ReplaceAll(s, " ", "") == upstream.Arguments }
