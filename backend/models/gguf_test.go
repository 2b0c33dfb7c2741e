package models

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// ggufFile writes a small GGUF file: metadata, one F32 tensor of four values, data.
type ggufFile struct {
	buf     bytes.Buffer
	entries uint64
}

func (g *ggufFile) put(v any) {
	if err := binary.Write(&g.buf, binary.LittleEndian, v); err != nil {
		panic(err)
	}
}

func (g *ggufFile) text(s string) {
	g.put(uint64(len(s)))
	g.buf.WriteString(s)
}

func (g *ggufFile) stringKey(key, value string) {
	g.entries++
	g.text(key)
	g.put(uint32(kindString))
	g.text(value)
}

func (g *ggufFile) uintKey(key string, value uint32) {
	g.entries++
	g.text(key)
	g.put(uint32(kindUint32))
	g.put(value)
}

func (g *ggufFile) arrayKey(key string, values ...string) {
	g.entries++
	g.text(key)
	g.put(uint32(kindArray))
	g.put(uint32(kindString))
	g.put(uint64(len(values)))
	for _, v := range values {
		g.text(v)
	}
}

func (g *ggufFile) bytes() []byte {
	out := &ggufFile{}
	out.buf.WriteString("GGUF")
	out.put(uint32(3))
	out.put(uint64(1))
	out.put(g.entries)
	out.buf.Write(g.buf.Bytes())
	out.text("token_embd.weight")
	out.put(uint32(1))
	out.put(uint64(4))
	out.put(uint32(0))
	out.put(uint64(0))
	for out.buf.Len()%32 != 0 {
		out.buf.WriteByte(0)
	}
	out.put([4]float32{1, 2, 3, 4})
	return out.buf.Bytes()
}

func smallModel(keys ...func(*ggufFile)) []byte {
	g := &ggufFile{}
	g.stringKey("general.architecture", "llama")
	g.uintKey("llama.context_length", 2048)
	g.arrayKey("tokenizer.ggml.tokens", "a", "b", "")
	for _, key := range keys {
		key(g)
	}
	return g.bytes()
}

func TestHeaderTellsFacts(t *testing.T) {
	embedder := func(g *ggufFile) { g.uintKey("bert.pooling_type", 2) }
	reranker := func(g *ggufFile) { g.uintKey("bert.pooling_type", 4) }
	for name, c := range map[string]struct {
		file []byte
		want Facts
	}{
		"a chat model":        {smallModel(), Facts{Architecture: "llama", ContextLength: 2048, Parameters: 4, Quantization: "F32"}},
		"an embeddings model": {smallModel(embedder), Facts{Architecture: "llama", ContextLength: 2048, HasPooling: true, Parameters: 4, Quantization: "F32"}},
		"a reranker":          {smallModel(reranker), Facts{Architecture: "llama", ContextLength: 2048, HasPooling: true, Ranks: true, Parameters: 4, Quantization: "F32"}},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := readHeader(bytes.NewReader(c.file))
			if err != nil {
				t.Fatal(err)
			}
			if h.Facts != c.want {
				t.Errorf("facts %+v, want %+v", h.Facts, c.want)
			}
			if h.minSize != int64(len(c.file)) {
				t.Errorf("the tensors need %d bytes, the file has %d", h.minSize, len(c.file))
			}
		})
	}
}

func TestHeaderRefuses(t *testing.T) {
	whole := smallModel()
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"nothing":          {nil, "cut off"},
		"a web page":       {[]byte("<!doctype html><html>"), "not a GGUF file"},
		"an old version":   {[]byte("GGUF\x01\x00\x00\x00"), "version 1"},
		"half a header":    {whole[:60], "cut off"},
		"endless metadata": {append([]byte("GGUF\x03\x00\x00\x00"), bytes.Repeat([]byte{0xff}, 64)...), "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readHeader(bytes.NewReader(c.file))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// However a file is cut, the library says so.
func TestEveryCutIsSeen(t *testing.T) {
	whole := smallModel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, len(whole)-1).Draw(t, "length")
		if err := os.WriteFile(filepath.Join(dir, "m.gguf"), whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := NewLibrary(dir).Find("m")
		var broken *BrokenError
		if !errors.As(err, &broken) {
			t.Fatalf("a file of %d of %d bytes is offered: %v", n, len(whole), err)
		}
	})
}

func FuzzHeader(f *testing.F) {
	whole := smallModel()
	f.Add(whole)
	f.Add(whole[:40])
	f.Add([]byte("GGUF"))
	for _, key := range []func(*ggufFile){
		func(g *ggufFile) { g.uintKey("split.count", 3); g.uintKey("bert.pooling_type", 1) },
		func(g *ggufFile) { g.uintKey("general.alignment", 0) },
		func(g *ggufFile) { g.uintKey("general.alignment", 1<<20) },
		func(g *ggufFile) { g.uintKey("llama.context_length", 1<<32-1) },
		func(g *ggufFile) { // an array of arrays
			g.arrayKey("nested")
			g.buf.Truncate(g.buf.Len() - 12)
			g.put([]uint32{kindArray, 1, 0, kindUint8, 2, 0})
			g.put(uint16(0))
		},
		func(g *ggufFile) { // an array that claims more than there is
			g.arrayKey("long")
			g.buf.Truncate(g.buf.Len() - 8)
			g.put(uint64(1 << 27))
		},
		func(g *ggufFile) { // a value of an unknown kind
			g.uintKey("odd", 7)
			g.buf.Truncate(g.buf.Len() - 8)
			g.put([]uint32{99, 7})
		},
	} {
		f.Add(smallModel(key))
	}
	f.Add(bytes.Replace(whole, []byte("\x01\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00"), []byte("\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\x7f"), 1)) // a huge tensor
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := readHeader(bytes.NewReader(data))
		if err == nil && (h.minSize < 0 || h.ContextLength < 0) {
			t.Fatalf("impossible facts %+v", h)
		}
	})
}
