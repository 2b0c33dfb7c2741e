// Package anthropic knows the wire format of Anthropic's Messages API: what makes a
// request valid and where it wants to go, what answers, streams and failures say,
// and how requests, answers and streams are converted from and to what they mean
// (package turn). Bytes in, bytes out.
//
// Source of the shapes: Anthropic's API reference as its OpenAPI document has it,
// read in the types made from it (github.com/anthropics/anthropic-sdk-python,
// src/anthropic/types), and its pages on streaming, errors and extended thinking.
package anthropic

import (
	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/turn"
)

// DefaultMaxTokens is sent for a client that set no limit: Anthropic requires one.
// All models that are served today can write as much.
const DefaultMaxTokens = 8192

// Options say what is known of the model that is asked.
type Options struct {
	// MaxTokens is sent where the client set no limit; 0 for DefaultMaxTokens. The
	// model list says for each model how much it can write (max_tokens).
	MaxTokens int64
	// Adaptive models take an effort, and no budget of tokens for thinking
	// (capabilities.thinking in the model list).
	Adaptive bool
}

var stopReasons = map[turn.Stop]string{
	turn.EndTurn: "end_turn", turn.MaxTokens: "max_tokens", turn.StopSequence: "stop_sequence", turn.ToolUse: "tool_use",
	turn.Refused: "refusal", turn.Paused: "pause_turn", turn.ContextFull: "model_context_window_exceeded",
}

func stopReason(s turn.Stop) string {
	if name, ok := stopReasons[s]; ok {
		return name
	}
	return "end_turn"
}

func stopOf(reason string) turn.Stop {
	for s, name := range stopReasons {
		if name == reason {
			return s
		}
	}
	return turn.EndTurn
}

// addUsage takes what a message or an event says of usage; a later one counts more.
// Anthropic's input_tokens leave out what was read from and written to its cache.
func addUsage(u turn.Usage, v gjson.Result) turn.Usage {
	if !v.IsObject() {
		return u
	}
	fresh := u.Input - u.CacheRead - u.CacheWrite
	take := func(into *int64, name string) {
		if n := v.Get(name); n.Type == gjson.Number && n.Num >= 0 && n.Num <= 1<<40 {
			*into = n.Int()
		}
	}
	take(&fresh, "input_tokens")
	take(&u.CacheRead, "cache_read_input_tokens")
	take(&u.CacheWrite, "cache_creation_input_tokens")
	take(&u.CacheWrite1H, "cache_creation.ephemeral_1h_input_tokens")
	take(&u.Output, "output_tokens")
	take(&u.ReasoningTokens, "output_tokens_details.thinking_tokens")
	u.Input, u.Known = fresh+u.CacheRead+u.CacheWrite, true
	return u
}

// fresh is the input that no cache had to do with.
func fresh(u *turn.Usage) int64 { return max(u.Input-u.CacheRead-u.CacheWrite, 0) }
