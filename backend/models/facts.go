package models

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strings"
	"unicode"
)

// Facts is what a model's files say about themselves. What they do not tell is "" or 0.
type Facts struct {
	Architecture  string
	ContextLength int
	HasPooling    bool // it names the way in which its embeddings are pooled
	Ranks         bool // and that way gives a score: it is a reranker
	Parameters    int64
	Quantization  string // such as Q4_K_M, or 4-bit
	License       string
	// CacheBytes is what one token takes in the cache of keys and values.
	CacheBytes int64
}

// Tokens is how many tokens an engine keeps a cache for. llama.cpp gives each of the requests that it
// answers at once a context of its own: contextSize, or the model's where that is 0. Others make room as a
// conversation grows, up to the model's context; contextSize is then how far they are reckoned to come.
func (m Model) Tokens(contextSize, parallel int) int64 {
	if contextSize <= 0 {
		contextSize = m.Facts.ContextLength
	}
	if m.Format != GGUF {
		return int64(min(contextSize, m.Facts.ContextLength))
	}
	return int64(contextSize) * int64(max(parallel, 1))
}

// Memory is what a model takes once it is loaded with a cache for so many tokens: its weights, those of its projector
// and that cache. What else an engine reserves, such as buffers for computing, is not in it.
// ok is false when the files do not tell what a token takes.
func (m Model) Memory(tokens int64) (bytes int64, ok bool) {
	if m.Facts.CacheBytes <= 0 || tokens <= 0 || tokens > math.MaxInt64/m.Facts.CacheBytes {
		return m.Weights(), false
	}
	return sum(m.Weights(), m.Facts.CacheBytes*tokens), true
}

// Weights is the size of all that is read into memory, its projector included.
func (m Model) Weights() int64 { return sum(m.Size, m.ProjectorSize) }

// metadata is what matters here of a GGUF file's keys.
type metadata struct {
	architecture string
	license      string
	alignment    int64
	splitCount   int
	fileType     string
	numbers      map[string][]uint64 // of the architecture's own keys, without its name
}

// wanted are the architecture's own keys that tell something here.
var wanted = []string{
	"context_length", "pooling_type", "block_count", "embedding_length", "full_attention_interval",
	"attention.head_count", "attention.head_count_kv", "attention.key_length", "attention.value_length",
	"vision.projection_dim", "audio.projection_dim",
}

func (m *metadata) take(key string, v value) error {
	number := uint64(0)
	if len(v.numbers) > 0 {
		number = v.numbers[0]
	}
	switch key {
	case "general.architecture":
		m.architecture = plain(v.text)
	case "general.license":
		m.license = plain(v.text)
	case "general.file_type":
		m.fileType = fileTypes[number]
	case "general.alignment":
		if number == 0 || number > 1<<20 {
			return errors.New("its alignment is impossible")
		}
		m.alignment = int64(number)
	case "split.count":
		m.splitCount = int(min(number, math.MaxInt32))
	}
	if _, own, ok := strings.Cut(key, "."); ok && slices.Contains(wanted, own) && len(v.numbers) > 0 {
		m.numbers[own] = v.numbers
	}
	return nil
}

// poolingRank is LLAMA_POOLING_TYPE_RANK of llama.cpp's llama.h.
const poolingRank = 4

func (m *metadata) facts(t tensorList) Facts {
	f := Facts{Architecture: m.architecture, License: m.license, Parameters: t.parameters, Quantization: m.fileType, CacheBytes: m.cacheBytes()}
	if f.Quantization == "" {
		f.Quantization = mixture(t.bytes)
	}
	if n := m.numbers["context_length"]; n != nil {
		f.ContextLength = int(min(n[0], math.MaxInt32))
	}
	_, f.HasPooling = m.numbers["pooling_type"]
	f.Ranks = m.number("pooling_type") == poolingRank
	return f
}

// cacheBytes is the sum over the layers of key and value heads by their lengths, in F16, as llama.cpp's
// llama_kv_cache reserves them by the keys that https://github.com/ggml-org/ggml/blob/master/docs/gguf.md lists.
// Layers that look at a window of the context alone count as if they looked at all of it.
func (m *metadata) cacheBytes() int64 {
	layers, heads, kv := m.number("block_count"), m.numbers["attention.head_count"], m.numbers["attention.head_count_kv"]
	if layers == 0 || len(heads) == 0 {
		return 0
	}
	if len(kv) == 0 {
		kv = heads
	}
	c := cache{layers: layers, heads: kv, key: m.number("attention.key_length"), value: m.number("attention.value_length"), every: m.number("full_attention_interval")}
	if most := slices.Max(heads); most > 0 {
		each := m.number("embedding_length") / most
		c.key, c.value = cmp.Or(c.key, each), cmp.Or(c.value, each)
	}
	return c.bytes()
}

// width is how many numbers stand for a token before the first layer, or come out of a projector.
func (m *metadata) width() int {
	for _, key := range []string{"embedding_length", "vision.projection_dim", "audio.projection_dim"} {
		if n := m.number(key); n > 0 {
			return int(min(n, math.MaxInt32))
		}
	}
	return 0
}

// number is a key's single number, 0 when it is not there.
func (m *metadata) number(key string) uint64 {
	if n := m.numbers[key]; n != nil {
		return n[0]
	}
	return 0
}

// cache says how a model keeps keys and values.
type cache struct {
	layers     uint64
	heads      []uint64 // for each layer, or one number for all
	key, value uint64   // length of a head
	every      uint64   // only each so manieth layer keeps any; 0 or 1 is all
}

const halfPrecision = 2 // bytes of one number in the cache

// bytes of one token; 0 when the numbers are impossible.
func (c cache) bytes() (total int64) {
	const most = 1 << 20
	if c.layers > maxLayers || c.key > most || c.value > most || len(c.heads) == 0 || len(c.heads) > 1 && uint64(len(c.heads)) < c.layers {
		return 0
	}
	for layer := range c.layers {
		n := c.heads[0]
		if len(c.heads) > 1 {
			n = c.heads[layer]
		}
		if n > most {
			return 0
		}
		if c.every > 1 && (layer+1)%c.every != 0 {
			continue
		}
		total += int64(n) * int64(c.key+c.value) * halfPrecision
	}
	return total
}

// plain is text of a file as it may stand on a terminal and a page: one short line.
func plain(text string) string {
	const most = 80
	text = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.TrimSpace(text))
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most])
	}
	return text
}
