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

// header is a GGUF file's facts and the size that its tensors need.
type header struct {
	Facts
	splitCount int   // files that the model is split over; 0 when it is not
	minSize    int64 // of the whole file, by its tensors' places
	width      int   // of what a model reads for a token, or of what a projector makes; 0 when it does not tell
}

// Limits of what is believed of a file, so that a damaged one costs no memory.
const (
	maxEntries = 1 << 20
	maxTensors = 1 << 20
	maxString  = 64 << 20
	maxKey     = 1 << 16
	maxArray   = 1 << 28
	maxNesting = 4
	maxLayers  = 4096
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
	m := metadata{alignment: 32, numbers: map[string][]uint64{}}
	for range entries {
		if err := g.entry(&m); err != nil {
			return header{}, err
		}
	}
	t, err := g.tensors(tensors)
	if err != nil {
		return header{}, err
	}
	h := header{Facts: m.facts(t), splitCount: m.splitCount, minSize: g.pos, width: m.width()}
	start := (g.pos + m.alignment - 1) / m.alignment * m.alignment
	if t.end > math.MaxInt64-start {
		return header{}, errors.New("its tensors are of impossible sizes")
	}
	if t.end > 0 {
		h.minSize = start + t.end
	}
	return h, nil
}

// entry reads one key of the metadata and its value.
func (g *gguf) entry(m *metadata) error {
	key, err := g.string(maxKey)
	if err != nil {
		return err
	}
	kind, err := g.uint32()
	if err != nil {
		return err
	}
	v, err := g.value(kind, 0)
	if err != nil {
		return err
	}
	return m.take(key, v)
}

// tensorList is what the list of tensors adds up to.
type tensorList struct {
	end        int64 // where the last one ends, counted from the start of the data
	parameters int64
	bytes      map[uint32]int64 // by kind
}

func (g *gguf) tensors(n uint64) (tensorList, error) {
	list := tensorList{bytes: map[uint32]int64{}}
	for range n {
		if _, err := g.string(maxKey); err != nil {
			return list, err
		}
		elements, err := g.shape()
		if err != nil {
			return list, err
		}
		kind, err := g.uint32()
		if err != nil {
			return list, err
		}
		offset, err := g.uint64()
		if err != nil {
			return list, err
		}
		size := tensorSize(kind, elements)
		if offset > math.MaxInt64 || size > math.MaxInt64-int64(offset) {
			return list, errors.New("a tensor has an impossible place")
		}
		list.end = max(list.end, int64(offset)+size)
		list.parameters = sum(list.parameters, int64(elements))
		list.bytes[kind] = sum(list.bytes[kind], size)
	}
	return list, nil
}

// shape reads a tensor's dimensions and gives how many values it holds.
func (g *gguf) shape() (elements uint64, err error) {
	dims, err := g.uint32()
	if err != nil {
		return 0, err
	}
	if dims > 8 {
		return 0, errors.New("a tensor has an impossible shape")
	}
	elements = 1
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
	return elements, nil
}

// sum adds what is not negative and stays at the largest number.
func sum(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
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

// value is a string's text, or the bits of a scalar or of a short array of scalars;
// nothing of a longer one.
type value struct {
	text    string
	numbers []uint64
}

func (g *gguf) value(kind uint32, depth int) (value, error) {
	switch kind {
	case kindString:
		text, err := g.string(maxString)
		return value{text: text}, err
	case kindArray:
		return g.array(depth)
	}
	size, ok := scalarSize[kind]
	if !ok {
		return value{}, fmt.Errorf("its metadata has a value of the unknown kind %d", kind)
	}
	n, err := g.scalar(size)
	return value{numbers: []uint64{n}}, err
}

func (g *gguf) scalar(size int) (uint64, error) {
	var b [8]byte
	err := g.read(b[:size])
	return binary.LittleEndian.Uint64(b[:]), err
}

func (g *gguf) array(depth int) (v value, err error) {
	if depth >= maxNesting {
		return v, errors.New("its metadata is nested too deeply")
	}
	kind, err := g.uint32()
	if err != nil {
		return v, err
	}
	n, err := g.count(maxArray)
	if err != nil {
		return v, err
	}
	size, scalars := scalarSize[kind]
	switch {
	case scalars && n > maxLayers:
		return v, g.skip(int64(n) * int64(size))
	case scalars: // such as a number for each layer
		for range n {
			number, err := g.scalar(size)
			if err != nil {
				return v, err
			}
			v.numbers = append(v.numbers, number)
		}
		return v, nil
	}
	for range n {
		if kind == kindString { // the vocabulary: not worth keeping
			length, err := g.count(maxString)
			if err != nil {
				return v, err
			}
			if err := g.skip(int64(length)); err != nil {
				return v, err
			}
			continue
		}
		if _, err := g.value(kind, depth+1); err != nil {
			return v, err
		}
	}
	return v, nil
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
