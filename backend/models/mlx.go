package models

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	configFile = "config.json"
	indexFile  = "model.safetensors.index.json"
	cardFile   = "README.md"
	maxConfig  = 16 << 20
	maxIndex   = 64 << 20
	maxCard    = 64 << 10
	// maxTensorList is what the safetensors library itself takes.
	maxTensorList = 100_000_000
)

// config is what matters here of a config.json, as the transformers library and mlx-lm write it.
type config struct {
	ModelType     string   `json:"model_type"`
	Architectures []string `json:"architectures"`
	shape
	Text         *shape `json:"text_config"` // of models that see, too
	Quantization struct {
		Bits float64 `json:"bits"`
	} `json:"quantization"`
}

type shape struct {
	Context   int64  `json:"max_position_embeddings"`
	Layers    uint64 `json:"num_hidden_layers"`
	Heads     uint64 `json:"num_attention_heads"`
	KVHeads   uint64 `json:"num_key_value_heads"`
	HeadDim   uint64 `json:"head_dim"`
	Hidden    uint64 `json:"hidden_size"`
	DType     string `json:"dtype"`
	TorchType string `json:"torch_dtype"`
}

// mlx looks at a folder with a config.json and safetensors files. It gives when something in it was
// written last.
func (w *walk) mlx(c candidate, m *Model) (latest time.Time, err error) {
	if info, err := os.Stat(c.dir); err == nil {
		latest = info.ModTime()
	}
	see := func(is inspected, err error) (any, error) {
		if is.modified.After(latest) {
			latest = is.modified
		}
		return is.found, err
	}
	found, err := see(w.inspect(filepath.Join(c.dir, configFile), readConfig))
	if err != nil {
		return latest, fmt.Errorf("its %s cannot be used: %w", configFile, err)
	}
	set := found.(config)
	if !set.isLanguageModel() {
		return latest, errHelper
	}
	files := slices.DeleteFunc(slices.Clone(c.names), func(name string) bool { return !isSafetensors(name) })
	if slices.Contains(c.names, indexFile) {
		found, err := see(w.inspect(filepath.Join(c.dir, indexFile), readIndex))
		if err != nil {
			return latest, fmt.Errorf("its %s cannot be used: %w", indexFile, err)
		}
		files = found.([]string)
	}
	var all weights
	for _, file := range files {
		is, err := w.inspect(filepath.Join(c.dir, file), readWeights)
		found, err := see(is, err)
		if errors.Is(err, os.ErrNotExist) {
			return latest, fmt.Errorf("its file %s is missing", plain(file))
		}
		if err == nil {
			err = w.arrived(c, file, is)
		}
		if err != nil {
			return latest, fmt.Errorf("its file %s cannot be used: %w", plain(file), err)
		}
		all.add(found.(weights))
		m.Size += is.size
	}
	m.Facts = set.facts(all)
	if found, err := see(w.inspect(filepath.Join(c.dir, cardFile), readCard)); err == nil { // many have none
		m.Facts.License = found.(string)
	}
	return latest, nil
}

func readConfig(f *os.File, _ os.FileInfo) (any, error) {
	var c config
	err := readJSON(f, maxConfig, &c)
	return c, err
}

// readIndex gives the names of the files that a model is spread over.
func readIndex(f *os.File, _ os.FileInfo) (any, error) {
	var index struct {
		Files map[string]string `json:"weight_map"`
	}
	if err := readJSON(f, maxIndex, &index); err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, name := range index.Files {
		if name != filepath.Base(name) || !isSafetensors(name) {
			return nil, errors.New("it names a file that is none of a model")
		}
		names[name] = true
	}
	if len(names) == 0 {
		return nil, errors.New("it names no file")
	}
	return slices.Sorted(maps.Keys(names)), nil
}

func readJSON(f *os.File, most int64, v any) error {
	raw, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return err
	}
	if int64(len(raw)) > most {
		return errors.New("it is too large")
	}
	if json.Unmarshal(raw, v) != nil {
		return errors.New("it is damaged") // and not what stands in it
	}
	return nil
}

// readCard finds the licence in the head of a model's card.
func readCard(f *os.File, _ os.FileInfo) (any, error) {
	raw, err := io.ReadAll(io.LimitReader(f, maxCard))
	if err != nil {
		return "", err
	}
	head, ok := strings.CutPrefix(string(raw), "---\n")
	if !ok {
		return "", nil
	}
	head, _, _ = strings.Cut(head, "\n---")
	for line := range strings.Lines(head) {
		if license, ok := strings.CutPrefix(line, "license:"); ok {
			return plain(strings.Trim(strings.TrimSpace(license), `"'`)), nil
		}
	}
	return "", nil
}

// isLanguageModel tells models of text from the many others that are kept the same way.
func (c config) isLanguageModel() bool {
	if c.ModelType == "" || c.ModelType == "whisper" {
		return false
	}
	return len(c.Architectures) == 0 || slices.ContainsFunc(c.Architectures, func(a string) bool {
		return strings.HasSuffix(a, "CausalLM") || strings.HasSuffix(a, "ConditionalGeneration") || strings.HasSuffix(a, "LMHeadModel")
	})
}

func (c config) facts(all weights) Facts {
	s := c.shape
	if c.Text != nil {
		s = *c.Text
	}
	f := Facts{Architecture: plain(c.ModelType), ContextLength: int(max(0, min(s.Context, math.MaxInt32))), Parameters: all.plain, Quantization: all.kind()}
	if bits := c.Quantization.Bits; bits >= 1 && bits <= 16 {
		f.Quantization = fmt.Sprintf("%g-bit", bits)
		f.Parameters = sum(f.Parameters, int64(float64(all.packed)*32/bits))
	}
	kept := cache{layers: s.Layers, heads: []uint64{s.KVHeads}, key: s.HeadDim}
	if s.KVHeads == 0 {
		kept.heads[0] = s.Heads
	}
	if kept.key == 0 && s.Heads > 0 {
		kept.key = s.Hidden / s.Heads
	}
	kept.value = kept.key
	f.CacheBytes = kept.bytes()
	return f
}

// weights is what the tensors of safetensors files add up to.
type weights struct {
	plain  int64            // values that stand for themselves
	packed int64            // words of 32 bits that hold several each
	bytes  map[string]int64 // by type
}

func (w *weights) add(o weights) {
	w.plain, w.packed = sum(w.plain, o.plain), sum(w.packed, o.packed)
	if w.bytes == nil {
		w.bytes = map[string]int64{}
	}
	for kind, n := range o.bytes {
		w.bytes[kind] = sum(w.bytes[kind], n)
	}
}

// kind is the type that most of the bytes are of.
func (w *weights) kind() string { return plain(mostOf(w.bytes)) }

type tensor struct {
	DType   string   `json:"dtype"`
	Shape   []int64  `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// readWeights reads the head of a safetensors file, as https://huggingface.co/docs/safetensors describes
// it: its length in eight bytes, and a JSON object that says where each tensor lies after it.
func readWeights(f *os.File, info os.FileInfo) (any, error) { return readTensors(f, info.Size()) }

func readTensors(r io.Reader, size int64) (w weights, err error) {
	var length uint64
	if err := binary.Read(r, binary.LittleEndian, &length); err != nil {
		return w, errCut
	}
	if length > maxTensorList {
		return w, errors.New("it is not a safetensors file")
	}
	if int64(length) > size-8 {
		return w, cutAt(size, 8+int64(length))
	}
	raw, err := io.ReadAll(io.LimitReader(r, int64(length)))
	if err != nil {
		return w, err
	}
	var entries map[string]json.RawMessage
	if json.Unmarshal(raw, &entries) != nil {
		return w, errors.New("it is not a safetensors file")
	}
	tensors := make(map[string]tensor, len(entries))
	var end int64
	for name, entry := range entries {
		if name == "__metadata__" {
			continue
		}
		var t tensor
		if json.Unmarshal(entry, &t) != nil || t.Offsets[0] < 0 || t.Offsets[1] < t.Offsets[0] || t.Offsets[1] > math.MaxInt64-8-int64(length) {
			return w, errors.New("a tensor has an impossible place")
		}
		tensors[name] = t
		end = max(end, t.Offsets[1])
	}
	if least := 8 + int64(length) + end; size < least {
		return w, cutAt(size, least)
	}
	return count(tensors)
}

func count(tensors map[string]tensor) (weights, error) {
	w := weights{bytes: map[string]int64{}}
	for name, t := range tensors {
		elements := int64(1)
		for _, d := range t.Shape {
			if d < 0 || d > 0 && elements > math.MaxInt64/d {
				return w, errors.New("a tensor has an impossible shape")
			}
			elements *= d
		}
		w.bytes[t.DType] = sum(w.bytes[t.DType], t.Offsets[1]-t.Offsets[0])
		layer := name[:strings.LastIndex(name, ".")+1]
		quantized := tensors[layer+"weight"].DType == "U32"
		switch {
		case t.DType == "U32":
			w.packed = sum(w.packed, elements)
		case quantized && (name == layer+"scales" || name == layer+"biases"): // they serve to unpack it
		default:
			w.plain = sum(w.plain, elements)
		}
	}
	return w, nil
}
