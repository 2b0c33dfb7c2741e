package models

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// Facts is what a model's file says about itself.
type Facts struct {
	Architecture  string
	ContextLength int
	HasPooling    bool // it names the way in which its embeddings are pooled
}

// header is a GGUF file's facts and the size that its tensors need.
type header struct {
	Facts
	splitCount int   // files that the model is split over; 0 when it is not
	minSize    int64 // of the whole file, by its tensors' places
}

// Limits of what is believed of a file, so that a damaged one costs no memory.
const (
	maxEntries = 1 << 20
	maxTensors = 1 << 20
	maxString  = 64 << 20
	maxKey     = 1 << 16
	maxArray   = 1 << 28
	maxNesting = 4
)

var (
	errNotGGUF = errors.New("it is not a GGUF file")
	errCut     = errors.New("it is cut off")
)

// readHeader reads a GGUF file's start: magic, metadata and the list of tensors,
// as https://github.com/ggml-org/ggml/blob/master/docs/gguf.md describes them.
func readHeader(r io.Reader) (header, error) {
	g := &gguf{r: bufio.NewReaderSize(r, 256<<10)}
	h, err := g.header()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return header{}, errCut
	}
	return h, err
}

type gguf struct {
	r   *bufio.Reader
	pos int64
}

func (g *gguf) header() (header, error) {
	magic := make([]byte, 4)
	if err := g.read(magic); err != nil {
		return header{}, err
	}
	if string(magic) != "GGUF" {
		return header{}, errNotGGUF
	}
	version, err := g.uint32()
	if err != nil {
		return header{}, err
	}
	if version != 2 && version != 3 {
		return header{}, fmt.Errorf("its GGUF version %d is not supported", version)
	}
	tensors, err := g.count(maxTensors)
	if err != nil {
		return header{}, err
	}
	entries, err := g.count(maxEntries)
	if err != nil {
		return header{}, err
	}
	h := header{}
	alignment, err := g.metadata(&h, entries)
	if err != nil {
		return header{}, err
	}
	end, err := g.tensors(tensors)
	if err != nil {
		return header{}, err
	}
	start := (g.pos + alignment - 1) / alignment * alignment
	if end > math.MaxInt64-start {
		return header{}, errors.New("its tensors are of impossible sizes")
	}
	h.minSize = g.pos
	if end > 0 {
		h.minSize = start + end
	}
	return h, nil
}

// metadata reads the keys, of which only a few matter here.
func (g *gguf) metadata(h *header, entries uint64) (alignment int64, err error) {
	alignment = 32
	for range entries {
		key, err := g.string(maxKey)
		if err != nil {
			return 0, err
		}
		kind, err := g.uint32()
		if err != nil {
			return 0, err
		}
		text, number, err := g.value(kind, 0)
		if err != nil {
			return 0, err
		}
		switch {
		case key == "general.architecture":
			h.Architecture = text
		case key == "general.alignment":
			if number == 0 || number > 1<<20 {
				return 0, errors.New("its alignment is impossible")
			}
			alignment = int64(number)
		case key == "split.count":
			h.splitCount = int(min(number, math.MaxInt32))
		case strings.HasSuffix(key, ".context_length"):
			h.ContextLength = int(min(number, math.MaxInt32))
		case strings.HasSuffix(key, ".pooling_type"):
			h.HasPooling = true
		}
	}
	return alignment, nil
}

// tensors reads the list of tensors and gives where the last one ends, counted
// from the start of the data.
func (g *gguf) tensors(n uint64) (end int64, err error) {
	for range n {
		if _, err := g.string(maxKey); err != nil {
			return 0, err
		}
		dims, err := g.uint32()
		if err != nil {
			return 0, err
		}
		if dims > 8 {
			return 0, errors.New("a tensor has an impossible shape")
		}
		elements := uint64(1)
		for range dims {
			d, err := g.uint64()
			if err != nil {
				return 0, err
			}
			if d != 0 && elements > math.MaxInt64/d {
				return 0, errors.New("a tensor has an impossible shape")
			}
			elements *= d
		}
		kind, err := g.uint32()
		if err != nil {
			return 0, err
		}
		offset, err := g.uint64()
		if err != nil {
			return 0, err
		}
		size := tensorSize(kind, elements)
		if offset > math.MaxInt64 || size > math.MaxInt64-int64(offset) {
			return 0, errors.New("a tensor has an impossible place")
		}
		end = max(end, int64(offset)+size)
	}
	return end, nil
}

// Kinds of metadata values.
const (
	kindUint8 = iota
	kindInt8
	kindUint16
	kindInt16
	kindUint32
	kindInt32
	kindFloat32
	kindBool
	kindString
	kindArray
	kindUint64
	kindInt64
	kindFloat64
)

var scalarSize = map[uint32]int{
	kindUint8: 1, kindInt8: 1, kindUint16: 2, kindInt16: 2, kindUint32: 4, kindInt32: 4,
	kindFloat32: 4, kindBool: 1, kindUint64: 8, kindInt64: 8, kindFloat64: 8,
}

// value reads one value: a string's text, a scalar's bits, nothing of an array.
func (g *gguf) value(kind uint32, depth int) (text string, number uint64, err error) {
	switch kind {
	case kindString:
		text, err = g.string(maxString)
		return text, 0, err
	case kindArray:
		return "", 0, g.skipArray(depth)
	}
	size, ok := scalarSize[kind]
	if !ok {
		return "", 0, fmt.Errorf("its metadata has a value of the unknown kind %d", kind)
	}
	var b [8]byte
	err = g.read(b[:size])
	return "", binary.LittleEndian.Uint64(b[:]), err
}

func (g *gguf) skipArray(depth int) error {
	if depth >= maxNesting {
		return errors.New("its metadata is nested too deeply")
	}
	kind, err := g.uint32()
	if err != nil {
		return err
	}
	n, err := g.count(maxArray)
	if err != nil {
		return err
	}
	if size, ok := scalarSize[kind]; ok {
		return g.skip(int64(n) * int64(size))
	}
	for range n {
		if kind == kindString { // the vocabulary: not worth keeping
			length, err := g.count(maxString)
			if err != nil {
				return err
			}
			if err := g.skip(int64(length)); err != nil {
				return err
			}
			continue
		}
		if _, _, err := g.value(kind, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (g *gguf) read(b []byte) error {
	n, err := io.ReadFull(g.r, b)
	g.pos += int64(n)
	return err
}

func (g *gguf) skip(n int64) error {
	for n > 0 {
		step, err := g.r.Discard(int(min(n, 1<<20)))
		g.pos += int64(step)
		if n -= int64(step); err != nil {
			return err
		}
	}
	return nil
}

func (g *gguf) uint32() (uint32, error) {
	var b [4]byte
	err := g.read(b[:])
	return binary.LittleEndian.Uint32(b[:]), err
}

func (g *gguf) uint64() (uint64, error) {
	var b [8]byte
	err := g.read(b[:])
	return binary.LittleEndian.Uint64(b[:]), err
}

func (g *gguf) count(limit uint64) (uint64, error) {
	n, err := g.uint64()
	if err == nil && n > limit {
		return 0, errors.New("its metadata is damaged")
	}
	return n, err
}

func (g *gguf) string(limit uint64) (string, error) {
	n, err := g.count(limit)
	if err != nil {
		return "", err
	}
	var text strings.Builder // grows with what is there, not with what is claimed
	copied, err := io.CopyN(&text, g.r, int64(n))
	g.pos += copied
	return text.String(), err
}

// block is how many values one block of a tensor kind holds, in how many bytes.
type block struct{ values, bytes uint64 }

// blocks lists the kinds of ggml.h that are in use. A kind that is not here counts
// as empty: a file is called broken only when that is certain.
var blocks = map[uint32]block{
	0: {1, 4}, 1: {1, 2}, 30: {1, 2}, // F32, F16, BF16
	2: {32, 18}, 3: {32, 20}, 6: {32, 22}, 7: {32, 24}, 8: {32, 34}, 9: {32, 36}, // Q4_0 to Q8_1
	10: {256, 84}, 11: {256, 110}, 12: {256, 144}, 13: {256, 176}, 14: {256, 210}, 15: {256, 292}, // Q2_K to Q8_K
	16: {256, 66}, 17: {256, 74}, 18: {256, 98}, 19: {256, 50}, 20: {32, 18}, 21: {256, 110}, 22: {256, 82}, 23: {256, 136}, // IQ
	24: {1, 1}, 25: {1, 2}, 26: {1, 4}, 27: {1, 8}, 28: {1, 8}, 29: {256, 56}, // I8 to I64, F64, IQ1_M
	34: {256, 54}, 35: {256, 66}, 39: {32, 17}, // TQ1_0, TQ2_0, MXFP4
}

func tensorSize(kind uint32, elements uint64) int64 {
	b, ok := blocks[kind]
	if !ok {
		return 0
	}
	n := (elements + b.values - 1) / b.values
	if n > math.MaxInt64/b.bytes {
		return math.MaxInt64
	}
	return int64(n * b.bytes)
}
