package testkit

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Sizes of the projector: a picture of 28 by 28 becomes four patches, each a token of the model.
const (
	// PictureTokens is how many tokens a picture takes that is no larger than what the projector looks at.
	PictureTokens = 4

	projectorSide, projectorPatch        = 28, 14
	projectorWidth, projectorInside      = 32, 64
	projectorLayers, projectorHeads      = 2, 2
	kindFloat, kindBool, kindText        = uint32(6), uint32(7), uint32(8)
	kindNumber, kindList, tensorOfFloats = uint32(4), uint32(9), uint32(0)
)

// AddProjector writes what gives a GGUF model eyes into a folder: a vision encoder of LLaVA's kind, as llama.cpp reads it, so
// small and with such weights that the model learns of a picture that there is one and nothing of what is on it. width is what
// the model reads for a token.
func AddProjector(t testing.TB, folder, name string, width int) (path string) {
	t.Helper()
	path = filepath.Join(folder, name)
	if err := os.WriteFile(path, projector(width), 0o600); err != nil {
		t.Fatal(err)
	}
	before := time.Now().Add(-time.Hour) // a file of just now counts as still being written
	if err := os.Chtimes(path, before, before); err != nil {
		t.Fatal(err)
	}
	return path
}

func projector(width int) []byte {
	g := &gguf{random: rand.New(rand.NewPCG(1, 2))}
	g.value("general.architecture", kindText, "clip")
	g.value("clip.projector_type", kindText, "mlp")
	g.value("clip.has_vision_encoder", kindBool, true)
	g.value("clip.use_gelu", kindBool, true)
	g.value("clip.vision.image_mean", kindList, [3]float32{0.5, 0.5, 0.5})
	g.value("clip.vision.image_std", kindList, [3]float32{0.5, 0.5, 0.5})
	g.value("clip.vision.attention.layer_norm_epsilon", kindFloat, float32(1e-5))
	for key, n := range map[string]int{
		"image_size": projectorSide, "patch_size": projectorPatch, "embedding_length": projectorWidth, "feed_forward_length": projectorInside,
		"block_count": projectorLayers, "attention.head_count": projectorHeads, "projection_dim": width,
	} {
		g.value("clip.vision."+key, kindNumber, uint32(n))
	}
	const wide, inside = projectorWidth, projectorInside
	g.tensor("v.patch_embd.weight", projectorPatch, projectorPatch, 3, wide)
	g.tensor("v.class_embd", wide)
	g.tensor("v.position_embd.weight", wide, PictureTokens+1)
	g.layer("v.pre_ln", wide)
	for _, block := range []string{"v.blk.0.", "v.blk.1."} {
		for _, part := range []string{"attn_q", "attn_k", "attn_v", "attn_out"} {
			g.layer(block+part, wide, wide)
		}
		g.layer(block+"ln1", wide)
		g.layer(block+"ln2", wide)
		g.layer(block+"ffn_up", wide, inside)
		g.layer(block+"ffn_down", inside, wide)
	}
	g.layer("mm.0", wide, inside)
	g.layer("mm.2", inside, uint64(width))
	return g.bytes()
}

// gguf is a file of that kind as it is put together.
type gguf struct {
	random        *rand.Rand
	keys, list    bytes.Buffer
	data          bytes.Buffer
	known, listed uint64
}

func write(b *bytes.Buffer, values ...any) {
	for _, v := range values {
		if text, ok := v.(string); ok {
			write(b, uint64(len(text)))
			b.WriteString(text)
			continue
		}
		if err := binary.Write(b, binary.LittleEndian, v); err != nil {
			panic(err)
		}
	}
}

func (g *gguf) value(key string, kind uint32, v any) {
	g.known++
	write(&g.keys, key, kind)
	if kind == kindList {
		write(&g.keys, kindFloat, uint64(3))
	}
	write(&g.keys, v)
}

// layer is weights with what is added to their outcome.
func (g *gguf) layer(name string, shape ...uint64) {
	g.tensor(name+".weight", shape...)
	g.tensor(name+".bias", shape[len(shape)-1])
}

func (g *gguf) tensor(name string, shape ...uint64) {
	g.listed++
	write(&g.list, name, uint32(len(shape)), shape, tensorOfFloats, uint64(g.data.Len()))
	n := uint64(1)
	for _, side := range shape {
		n *= side
	}
	for range n {
		write(&g.data, float32(g.random.NormFloat64()*0.2))
	}
	pad(&g.data)
}

func pad(b *bytes.Buffer) { b.Write(make([]byte, (32-b.Len()%32)%32)) }

func (g *gguf) bytes() []byte {
	var out bytes.Buffer
	out.WriteString("GGUF")
	write(&out, uint32(3), g.listed, g.known)
	out.Write(g.keys.Bytes())
	out.Write(g.list.Bytes())
	pad(&out)
	out.Write(g.data.Bytes())
	return out.Bytes()
}
