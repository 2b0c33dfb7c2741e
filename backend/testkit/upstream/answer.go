package upstream

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"sync"

	"github.com/tidwall/gjson"
)

// Marker is a word in every answer, for tests that look where no answer may be kept.
const Marker = "marzipan"

// The usage that every answer reports; completion tokens are the script's chunks.
const (
	PromptTokens = 11
	CachedTokens = 4
)

// Timings that the script "timings" reports, as llama.cpp does.
const (
	PromptMS     = 12.5
	GenerationMS = 250.25
)

const created = 1767225600 // 2026-01-01; constant, so that answers can be golden

var words = []string{Marker, " is", " a", " sweet", " made", " of", " almonds", " and", " sugar", "."}

func word(i int) string { return words[i%len(words)] }

// Text is the answer of n tokens.
func Text(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(word(i))
	}
	return b.String()
}

// An answer is one ready-made answer in both shapes. What stands between two tokens, such as the end of a
// block, goes with the second.
type answer struct {
	json   []byte
	role   []byte // all before the first token; nil for /v1/completions
	tokens [][]byte
	finish []byte // says why the answer ends
	usage  []byte // of chat and completions
	done   []byte
}

// body is the events up to the finish reason and the usage chunk if it was asked for.
func (a *answer) body(usage bool) [][]byte {
	events := a.opening()
	events = append(events, a.tokens...)
	events = append(events, a.finish)
	if usage && a.usage != nil {
		events = append(events, a.usage)
	}
	return events
}

func (a *answer) all(usage bool) [][]byte { return append(a.body(usage), a.done) }

func (a *answer) opening() [][]byte {
	if a.role == nil {
		return nil
	}
	return [][]byte{a.role}
}

// prebuilt keeps answers, because building one costs more than sending it.
type prebuilt struct{ answers sync.Map } // prebuiltKey → *built

type prebuiltKey struct {
	ask
	n int
}

type built struct {
	answer *answer
	events [][]byte
}

// built finds or makes the answer of n tokens to what x asks.
func (x *exchange) built(n int) *built {
	if x.endpoint == embeddings {
		return &built{answer: &answer{json: embeddingBody(x.model, x.body)}}
	}
	key := prebuiltKey{x.ask, n}
	if b, ok := x.server.answers.Load(key); ok {
		return b.(*built)
	}
	a := x.build([]block{said(pieces(n)...)})
	b := &built{answer: a, events: a.all(x.usage)}
	if n <= 4096 {
		x.server.answers.Store(key, b)
	}
	return b
}

// build makes the answer of blocks in the protocol of x's endpoint.
func (x *exchange) build(blocks []block) *answer {
	switch x.endpoint {
	case messages:
		return buildMessage(x.ask, blocks)
	case responses:
		return buildResponse(x.ask, blocks)
	}
	return buildChat(x.ask, blocks, nil)
}

func pieces(n int) []string {
	p := make([]string, n)
	for i := range p {
		p[i] = word(i)
	}
	return p
}

// embeddingBody gives a vector for each input, as base64 when that was asked for.
func embeddingBody(model string, request []byte) []byte {
	n := 1
	if in := gjson.GetBytes(request, "input"); in.IsArray() && in.Get("0").Type != gjson.Number {
		n = len(in.Array())
	}
	data := make([]any, n)
	for i := range data {
		vector := []float32{float32(i), 0.25, -0.5, 1}
		var e any = vector
		if gjson.GetBytes(request, "encoding_format").String() == "base64" {
			var raw bytes.Buffer
			for _, f := range vector {
				binary.Write(&raw, binary.LittleEndian, math.Float32bits(f))
			}
			e = base64.StdEncoding.EncodeToString(raw.Bytes())
		}
		data[i] = map[string]any{"object": "embedding", "index": i, "embedding": e}
	}
	return marshal(map[string]any{"object": "list", "model": model, "data": data,
		"usage": map[string]any{"prompt_tokens": PromptTokens, "total_tokens": PromptTokens}})
}

// model describes one script's model.
func (s *Server) model(w http.ResponseWriter, r *http.Request, _ []byte) {
	id := r.PathValue("id")
	if _, err := parseCall(id, s.options); err != nil {
		writeError(w, http.StatusNotFound, apiError{
			Message: fmt.Sprintf("The model '%s' does not exist", id), Type: "invalid_request_error", Param: "model", Code: "model_not_found"})
		return
	}
	w.Header()["Content-Type"] = typeJSON
	w.Write(marshal(map[string]any{"id": id, "object": "model", "created": created, "owned_by": "upstream"}))
}

func sse(data []byte) []byte { return fmt.Appendf(nil, "data: %s\n\n", data) }

func merge(into, from map[string]any) {
	for k, v := range from {
		into[k] = v
	}
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("upstream: %v", err)) // every value is built in this file
	}
	return b
}
