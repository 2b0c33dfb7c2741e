// Package chat converts OpenAI's Chat Completions from and to what they mean
// (package turn): requests of clients and to upstreams, answers and streams of
// upstreams and to clients. Bytes in, bytes out.
//
// Source of the shapes: the OpenAI API reference for chat completions as its
// OpenAPI document has it (github.com/openai/openai-openapi), read in the types
// made from it (github.com/openai/openai-python, src/openai/types/chat).
// reasoning_content is not in it: DeepSeek's API, llama.cpp and vLLM write a model's
// reasoning there.
package chat

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/turn"
)

// Options say what an upstream takes beyond OpenAI's documents.
type Options struct {
	// Extended upstreams (llama.cpp's server and its like) take top_k, and the
	// reasoning of earlier answers as reasoning_content.
	Extended bool
}

// stopOf reads a finish_reason. Some servers say "stop" after tool calls.
func stopOf(reason string, calls, refused bool) turn.Stop {
	switch {
	case refused || reason == "content_filter":
		return turn.Refused
	case reason == "length":
		return turn.MaxTokens
	case calls || reason == "tool_calls" || reason == "function_call":
		return turn.ToolUse
	}
	return turn.EndTurn
}

// finishReason is the way back. Chat knows one reason for an answer that is not
// whole: length, which also stands for a full context and for a turn that the model
// only paused.
func finishReason(s turn.Stop) string {
	switch s {
	case turn.MaxTokens, turn.ContextFull, turn.Paused:
		return "length"
	case turn.ToolUse:
		return "tool_calls"
	case turn.Refused:
		return "content_filter"
	}
	return "stop"
}

func usageOf(root gjson.Result) turn.Usage {
	u := root.Get("usage")
	if !u.IsObject() {
		return turn.Usage{}
	}
	return turn.Usage{
		Known:           true,
		Input:           tokens(u.Get("prompt_tokens")),
		Output:          tokens(u.Get("completion_tokens")),
		CacheRead:       tokens(u.Get("prompt_tokens_details.cached_tokens")),
		CacheWrite:      tokens(u.Get("prompt_tokens_details.cache_write_tokens")),
		ReasoningTokens: tokens(u.Get("completion_tokens_details.reasoning_tokens")),
	}
}

// tokens reads a count; nonsense is none.
func tokens(v gjson.Result) int64 {
	if v.Type != gjson.Number || v.Num < 0 || v.Num > 1<<40 {
		return 0
	}
	return v.Int()
}

// madeUpID names the nth call of an answer whose server named it not.
func madeUpID(answer string, n int) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return -1
	}, answer)
	return "call_" + clean[:min(len(clean), 40)] + "_" + strconv.Itoa(n)
}
