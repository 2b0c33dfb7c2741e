// Package memory says what a model takes of this machine's memory, and how much the machine can give.
package memory

import (
	"fmt"
	"math"

	"mlxbar/backend/models"
	"mlxbar/backend/settings"
)

// Estimate is what a model is expected to take once it is loaded as it is set: its weights and its cache of keys
// and values, those of the model that drafts for it, and its engine's program with the room that it computes in.
type Estimate struct {
	Bytes  int64
	Tokens int64 // of context that Bytes counts, those of all requests at once; 0 where its files do not tell what one takes
	// Advice is a sentence on how a model that is too large would fit; "" for others, and where there is no such way.
	Advice string
}

// What an engine takes beside weights and cache, as it was measured with the starter model: docs/API.md says how. The room to compute in
// is larger for a larger model, and then counts once it is held.
const (
	batch        = 1024      // tokens that llama.cpp computes at once
	computeBytes = 32_000    // for each of them
	seeing       = 5_000_000 // for reading a picture, where there is a projector, beside its weights
	maskBytes    = 2         // for each of them and each token of context: which of them it may look at
)

// program is Python with the engine's libraries.
var program = map[models.Format]int64{models.GGUF: 60_000_000, models.MLX: 190_000_000}

// beside is what a model's engine takes beside weights and a cache for so many tokens.
func beside(m models.Model, tokens int64) int64 {
	if m.Format != models.GGUF {
		return program[m.Format]
	}
	tokens = min(max(tokens, 0), math.MaxInt64/(2*maskBytes*batch)) // what a file claims may be anything
	more := program[m.Format] + (computeBytes+maskBytes*tokens)*min(tokens, batch)
	if m.Projector != "" {
		more += seeing
	}
	return more
}

// Limit is how much models may take together, 0 when the system does not tell what there is.
func Limit(set settings.Settings) int64 {
	return Machine() / 100 * int64(set.Engines.MemoryPercent)
}

// Of estimates m as set has it. find gives the model that drafts; one that is not found counts when it is loaded.
func Of(m models.Model, set settings.Settings, find func(name string) (models.Model, error)) Estimate {
	return of(m, set, find, Limit(set))
}

func of(m models.Model, set settings.Settings, find func(name string) (models.Model, error), limit int64) Estimate {
	each, tuned := set.Models.Of(m.Name), set.Tuned(m.Name)
	m.Facts.CacheBytes = cached(m, each)
	tokens := m.Tokens(tuned.ContextSize, tuned.Parallel)
	bytes, known := m.Memory(tokens)
	more := beside(m, tokens)
	bytes = min(bytes, math.MaxInt64-more) + more
	weights, token := m.Weights()+beside(m, 0), m.Facts.CacheBytes
	if m.Format == models.GGUF {
		weights, token = weights+computeBytes*batch, token+maskBytes*batch
	}
	if each.Draft != "" {
		if draft, err := find(each.Draft); err == nil {
			its, _ := draft.Memory(tokens) // it follows the whole context
			bytes, weights, token = bytes+its, weights+draft.Size, token+draft.Facts.CacheBytes
		}
	}
	e := Estimate{Bytes: bytes}
	if known {
		e.Tokens = tokens
		if limit > 0 && bytes > limit {
			e.Advice = advice(m.Format, limit-weights, token, tuned.Parallel)
		}
	}
	return e
}

// cached is what a token takes in the cache of m. llama.cpp keeps keys and values in 16 bits unless it is told otherwise.
func cached(m models.Model, each settings.ModelSettings) int64 {
	if m.Format != models.GGUF {
		return m.Facts.CacheBytes
	}
	bits := 0.0
	for _, name := range []string{"--cache-type-k", "--cache-type-v"} { // which are as long as each other in almost all models
		kind, ok := each.Argument(name)
		if !ok {
			kind = "f16"
		}
		bits += bitsOf[kind]
	}
	return int64(float64(m.Facts.CacheBytes) * bits / 32)
}

// bitsOf is what a number takes in ggml's types, with its share of the block's scale.
var bitsOf = map[string]float64{"f16": 16, "bf16": 16, "q8_0": 8.5, "q5_1": 6, "q5_0": 5.5, "q4_1": 5, "q4_0": 4.5, "iq4_nl": 4.5}

// advice tells the context with which a model would fit into so many bytes beside its weights.
func advice(format models.Format, room, token int64, parallel int) string {
	const step, least = 256, 512
	if format == models.GGUF {
		token *= int64(max(parallel, 1))
	}
	if context := room / max(token, 1) / step * step; context >= least {
		return fmt.Sprintf("With a context_size of %d it would fit.", context)
	}
	return ""
}
