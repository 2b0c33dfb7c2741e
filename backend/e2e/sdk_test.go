package e2e

import (
	"errors"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"

	"mlxbar/backend/settings"
	"mlxbar/backend/testkit/upstream"
)

// bilingual leads claude/… to a provider that speaks Anthropic's protocol and far/… to one that speaks OpenAI's; the rest of
// the name is the script.
func bilingual(s *settings.Settings) {
	s.Providers = append(s.Providers, settings.Provider{Name: "claude", Kind: settings.KindAnthropic, BaseURL: s.Providers[0].BaseURL, APIKeyEnv: "FAR_KEY"})
	for _, provider := range []string{"far", "claude"} {
		for _, script := range []string{"ok", "tools", "status-429", "status-500", "status-400", "cut", "hang"} {
			s.Routes = append(s.Routes, settings.Route{Model: provider + "/" + script, Targets: []settings.Target{{Provider: provider, Model: script}}})
		}
	}
}

// answer is what came of a question, whichever SDK asked it.
type answer struct {
	text, tool, arguments string
	prompt, completion    int64
	status                int // of the SDK's own exception, 0 for none
	err                   error
}

// sdk asks a question of a model, with a tool at hand.
type sdk struct {
	name string
	ask  func(t *testing.T, h *house, model string, stream bool) answer
}

var sdks = []sdk{{"openai-go, chat", askChat}, {"openai-go, responses", askResponses}, {"anthropic-sdk-go", askMessages}}

const (
	question = "Say hello."
	toolName = "weather"
)

var toolSchema = map[string]any{"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}}

func openAIClient(h *house) openai.Client {
	return openai.NewClient(option.WithBaseURL(h.url+"/v1"), option.WithAPIKey(h.secrets.clientKey), option.WithMaxRetries(0))
}

func ofOpenAI(a answer, err error) answer {
	var failure *openai.Error
	if a.err = err; errors.As(err, &failure) {
		a.status = failure.StatusCode
	}
	return a
}

func askChat(t *testing.T, h *house, model string, stream bool) answer {
	c := openAIClient(h)
	params := openai.ChatCompletionNewParams{
		Model: model, MaxCompletionTokens: openai.Int(12), Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(question)},
		Tools: []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{Name: toolName, Parameters: toolSchema})},
	}
	var whole *openai.ChatCompletion
	var err error
	if stream {
		params.StreamOptions.IncludeUsage = openai.Bool(true)
		events, gathered := c.Chat.Completions.NewStreaming(t.Context(), params), openai.ChatCompletionAccumulator{}
		for events.Next() {
			gathered.AddChunk(events.Current())
		}
		whole, err = &gathered.ChatCompletion, events.Err()
	} else {
		whole, err = c.Chat.Completions.New(t.Context(), params)
	}
	if err != nil || len(whole.Choices) == 0 {
		return ofOpenAI(answer{}, err)
	}
	a := answer{text: whole.Choices[0].Message.Content, prompt: whole.Usage.PromptTokens, completion: whole.Usage.CompletionTokens}
	for _, call := range whole.Choices[0].Message.ToolCalls {
		a.tool, a.arguments = call.Function.Name, call.Function.Arguments
	}
	return a
}

func askResponses(t *testing.T, h *house, model string, stream bool) answer {
	c := openAIClient(h)
	params := responses.ResponseNewParams{
		Model: model, MaxOutputTokens: openai.Int(12), Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(question)},
		Tools: []responses.ToolUnionParam{{OfFunction: &responses.FunctionToolParam{Name: toolName, Parameters: toolSchema, Strict: openai.Bool(false)}}},
	}
	whole := &responses.Response{}
	var err error
	if stream {
		events := c.Responses.NewStreaming(t.Context(), params)
		for events.Next() {
			if e := events.Current(); e.Type == "response.completed" || e.Type == "response.incomplete" {
				whole = &e.Response
			}
		}
		err = events.Err()
	} else {
		whole, err = c.Responses.New(t.Context(), params)
	}
	if err != nil {
		return ofOpenAI(answer{}, err)
	}
	a := answer{text: whole.OutputText(), prompt: whole.Usage.InputTokens, completion: whole.Usage.OutputTokens}
	for _, item := range whole.Output {
		if item.Type == "function_call" {
			a.tool, a.arguments = item.Name, item.Arguments.OfString
		}
	}
	return a
}

func askMessages(t *testing.T, h *house, model string, stream bool) (a answer) {
	c := anthropic.NewClient(anthropicoption.WithBaseURL(h.url), anthropicoption.WithAPIKey(h.secrets.clientKey), anthropicoption.WithMaxRetries(0))
	params := anthropic.MessageNewParams{
		Model: model, MaxTokens: 12, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(question))},
		Tools: []anthropic.ToolUnionParam{anthropic.ToolUnionParamOfTool(anthropic.ToolInputSchemaParam{Properties: toolSchema["properties"]}, toolName)},
	}
	whole := &anthropic.Message{}
	if stream {
		events := c.Messages.NewStreaming(t.Context(), params)
		for events.Next() {
			if err := whole.Accumulate(events.Current()); err != nil {
				t.Errorf("the SDK cannot follow the stream: %v", err)
			}
		}
		a.err = events.Err()
	} else {
		whole, a.err = c.Messages.New(t.Context(), params)
	}
	var failure *anthropic.Error
	if errors.As(a.err, &failure) {
		a.status = failure.StatusCode
	}
	if a.err != nil {
		return a
	}
	a.prompt, a.completion = whole.Usage.InputTokens+whole.Usage.CacheReadInputTokens, whole.Usage.OutputTokens
	for _, b := range whole.Content {
		switch b.Type {
		case "text":
			a.text += b.Text
		case "tool_use":
			a.tool, a.arguments = b.Name, string(b.Input)
		}
	}
	return a
}

// Each official Go client gets its answers from each kind of provider, and from the real engine.
func TestTheOfficialGoClientsAreAnsweredByEveryUpstream(t *testing.T) {
	for _, s := range sdks {
		for _, stream := range []bool{false, true} {
			name := s.name
			if stream {
				name += ", streamed"
			}
			t.Run(name, func(t *testing.T) {
				h := newHouse(t, bilingual) // one each: what fails again and again is left alone
				for _, provider := range []string{"far", "claude"} {
					s.isAnswered(t, h, provider, stream)
				}
				// llama.cpp begins a stream of Messages before it always knows how long the prompt is.
				told := !stream || s.name != "anthropic-sdk-go"
				if a := s.ask(t, h, local, stream); a.err != nil || a.text == "" || told && a.prompt == 0 || a.completion == 0 {
					t.Errorf("the engine: %+v", a)
				}
				if a := s.ask(t, h, "no-such-model", stream); a.err == nil || a.status != 404 {
					t.Errorf("a model that is not there: %+v", a)
				}
			})
		}
	}
}

func (s sdk) isAnswered(t *testing.T, h *house, provider string, stream bool) {
	t.Helper()
	a := s.ask(t, h, provider+"/ok", stream)
	if a.err != nil || a.text != upstream.Text(8) || a.prompt != upstream.PromptTokens || a.completion != 8 {
		t.Errorf("%s: %+v", provider, a)
	}
	a = s.ask(t, h, provider+"/tools", stream)
	if a.err != nil || a.tool != toolName || strings.ReplaceAll(a.arguments, " ", "") != `{"city":"`+upstream.Marker+`"}` {
		t.Errorf("%s, a tool: %+v", provider, a)
	}
	if a = s.ask(t, h, provider+"/cut", stream); a.err == nil {
		t.Errorf("%s: an answer that broke off is taken for whole: %+v", provider, a)
	}
	for script, status := range map[string]int{"status-429": 429, "status-500": 502, "status-400": 400} {
		if a = s.ask(t, h, provider+"/"+script, stream); a.err == nil || a.status != status {
			t.Errorf("%s, %s: %+v", provider, script, a)
		}
	}
}
