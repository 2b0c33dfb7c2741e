package models

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// safetensorsFile is a small file of the format with one tensor of each kind that a quantised model has.
func safetensorsFile(t *testing.T) []byte {
	t.Helper()
	head, err := json.Marshal(map[string]any{
		"__metadata__":  map[string]string{"format": "mlx"},
		"norm.weight":   map[string]any{"dtype": "BF16", "shape": []int{4}, "data_offsets": []int{0, 8}},
		"q_proj.weight": map[string]any{"dtype": "U32", "shape": []int{2, 8}, "data_offsets": []int{8, 72}},
		"q_proj.scales": map[string]any{"dtype": "BF16", "shape": []int{2, 1}, "data_offsets": []int{72, 76}},
		"q_proj.biases": map[string]any{"dtype": "BF16", "shape": []int{2, 1}, "data_offsets": []int{76, 80}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, uint64(len(head))); err != nil {
		t.Fatal(err)
	}
	b.Write(head)
	b.Write(make([]byte, 80))
	return b.Bytes()
}

const mlxConfig = `{"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "max_position_embeddings": 4096, "num_hidden_layers": 2,
	"num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 64, "head_dim": 32, "quantization": {"group_size": 64, "bits": 4}}`

func TestFoldersOfOtherPrograms(t *testing.T) {
	whole, tensors := smallModel(), safetensorsFile(t)
	other := smallModel(func(g *ggufFile) { g.stringKey("general.license", "mit") })
	gguf, mlx, longer := len(whole), len(tensors), len(other)
	index := func(files ...string) []byte {
		names := map[string]string{}
		for i, file := range files {
			names[fmt.Sprint("layer", i)] = file
		}
		raw, err := json.Marshal(map[string]any{"weight_map": names})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for name, c := range map[string]struct {
		own, added map[string][]byte
		want       []string
	}{
		"LM Studio's": {
			added: map[string][]byte{
				"bartowski/Some-GGUF/Some-Q4_0.gguf": whole, "mlx-community/Qwen3-4bit/config.json": []byte(mlxConfig), "mlx-community/Qwen3-4bit/model.safetensors": tensors,
			},
			want: []string{fmt.Sprint("qwen3-4bit ", mlx), fmt.Sprint("some-q4_0 ", gguf)},
		},
		"the Hugging Face cache": {
			added: map[string][]byte{
				"models--org--Some-GGUF/refs/main":                                []byte("abc\n"),
				"models--org--Some-GGUF/snapshots/abc/Some-Q4_0.gguf":             whole,
				"models--org--Some-GGUF/snapshots/old/Some-Q8_0.gguf":             whole,
				"models--org--Qwen3-4bit/snapshots/1/config.json":                 []byte(mlxConfig),
				"models--org--Qwen3-4bit/snapshots/1/model.safetensors":           tensors,
				"models--org--Some-GGUF/blobs/123.gguf":                           whole,
				"models--org--Coming/blobs/456.incomplete":                        whole[:9],
				"datasets--org--text/snapshots/abc/odd.gguf":                      whole,
				"models--bert--small/snapshots/1/config.json":                     []byte(`{"model_type": "bert", "architectures": ["BertModel"]}`),
				"models--bert--small/snapshots/1/model.safetensors":               tensors,
				"models--org--Split/snapshots/1/config.json":                      []byte(mlxConfig),
				"models--org--Split/snapshots/1/model-00001-of-00002.safetensors": tensors,
				"models--org--Split/snapshots/1/model.safetensors.index.json":     index("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"),
			},
			want: []string{fmt.Sprint("qwen3-4bit ", mlx), fmt.Sprint("some-q4_0 ", gguf), "! Split: its file model-00002-of-00002.safetensors is missing"},
		},
		"the same in two folders is one": {
			own:   map[string][]byte{"some-q4_0.gguf": whole},
			added: map[string][]byte{"org/Some-GGUF/Some-Q4_0.gguf": whole},
			want:  []string{fmt.Sprint("some-q4_0 ", gguf)},
		},
		"another of the same name goes by its publisher": {
			own:   map[string][]byte{"some-q4_0.gguf": whole},
			added: map[string][]byte{"Org/Some-GGUF/Some-Q4_0.gguf": other},
			want:  []string{fmt.Sprint("org/some-q4_0 ", longer), fmt.Sprint("some-q4_0 ", gguf)},
		},
		"the same name of two publishers": {
			added: map[string][]byte{"a/x/some.gguf": whole, "b/x/some.gguf": whole},
			want:  []string{fmt.Sprint("b/some ", gguf), fmt.Sprint("some ", gguf)},
		},
		"one name too many": {
			added: map[string][]byte{"a/x/some.gguf": whole, "b/x/some.gguf": other, "b/y/some.gguf": whole},
			want:  []string{fmt.Sprint("b/some ", longer), fmt.Sprint("some ", gguf), "! some.gguf: another model has the same name; rename one of them"},
		},
		"a folder of weights that is cut off": {
			own:  map[string][]byte{"Qwen3/config.json": []byte(mlxConfig), "Qwen3/model.safetensors": tensors[:mlx-1]},
			want: []string{fmt.Sprintf("! Qwen3: its file model.safetensors cannot be used: it is cut off: %d of at least %d bytes are there", mlx-1, mlx)},
		},
		"a folder whose configuration is damaged": {
			own:  map[string][]byte{"Qwen3/config.json": []byte(`{"model_type": "secret`), "Qwen3/model.safetensors": tensors},
			want: []string{"! Qwen3: its config.json cannot be used: it is damaged"},
		},
		"an index that leads elsewhere": {
			own: map[string][]byte{
				"Qwen3/config.json": []byte(mlxConfig), "Qwen3/model.safetensors": tensors, "Qwen3/model.safetensors.index.json": index("../x.safetensors"),
			},
			want: []string{"! Qwen3: its model.safetensors.index.json cannot be used: it names a file that is none of a model"},
		},
		"what a download program has not brought yet": {
			own:  map[string][]byte{"some.gguf": whole, "some.gguf.aria2": nil},
			want: []string{"~ some.gguf: it is still being written, and so far a program is still bringing it"},
		},
		"the second part without the first": {
			own:  map[string][]byte{"big-00002-of-00002.gguf": whole},
			want: []string{"! big-00002-of-00002.gguf: its part 1 of 2 is missing"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			own, added := t.TempDir(), t.TempDir()
			for file, data := range c.own {
				write(t, own, file, data)
			}
			for file, data := range c.added {
				write(t, added, file, data)
			}
			l := NewLibrary(own, func() []string { return []string{added} })
			for range 2 { // what is remembered tells the same
				if diff := cmp.Diff(c.want, describe(t, l)); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

// An added folder that is not there is no error, and is told.
func TestFoldersThatCannotBeSeenAreTold(t *testing.T) {
	own, many := t.TempDir(), t.TempDir()
	write(t, many, "a/b/some.gguf", smallModel())
	for i := range maxSeen {
		if err := os.WriteFile(filepath.Join(many, fmt.Sprint("x", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	gone := filepath.Join(own, "gone")
	c, err := NewLibrary(own, func() []string { return []string{gone, gone, many, own + "/"} }).Contents()
	if err != nil {
		t.Fatal(err)
	}
	want := []Folder{{Path: own}, {Path: gone, Added: true, Problem: "it is not there"}, {Path: many, Added: true, Problem: errTooMuch.Error()}}
	if diff := cmp.Diff(want, c.Folders); diff != "" {
		t.Error(diff)
	}
}

func TestFactsOfAnMLXFolder(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "Qwen3-4bit/config.json", []byte(mlxConfig))
	write(t, dir, "Qwen3-4bit/model.safetensors", safetensorsFile(t))
	write(t, dir, "Qwen3-4bit/README.md", []byte("---\nlanguage: en\nlicense: apache-2.0\n---\n# Qwen3\nlicense: none\n"))
	m, err := NewLibrary(dir).Find("Qwen3-4bit")
	if err != nil {
		t.Fatal(err)
	}
	want := Facts{
		Architecture: "qwen3", ContextLength: 4096, Quantization: "4-bit", License: "apache-2.0",
		Parameters: 4 + 2*8*8, // 8 of 4 bits in each word
		CacheBytes: 2 * 2 * (32 + 32) * 2,
	}
	if m.Format != MLX || m.Facts != want || m.Path != filepath.Join(dir, "Qwen3-4bit") {
		t.Errorf("%+v, want %+v", m, want)
	}
}

func TestWhatATokenTakes(t *testing.T) {
	key := func(name string, value uint32) func(*ggufFile) {
		return func(g *ggufFile) { g.uintKey("llama."+name, value) }
	}
	perLayer := func(g *ggufFile) { // a layer that keeps nothing, as in a model that is recurrent in part
		g.entries++
		g.text("llama.attention.head_count_kv")
		g.put([]uint32{kindArray, kindUint32, 3, 0, 2, 0, 2})
	}
	for name, c := range map[string]struct {
		keys []func(*ggufFile)
		want int64
	}{
		"nothing is told":             {nil, 0},
		"every head keeps its own":    {[]func(*ggufFile){key("block_count", 2), key("embedding_length", 64), key("attention.head_count", 4)}, 2 * 4 * (16 + 16) * 2},
		"heads share":                 {[]func(*ggufFile){key("block_count", 2), key("embedding_length", 64), key("attention.head_count", 4), key("attention.head_count_kv", 1)}, 2 * 1 * (16 + 16) * 2},
		"heads have lengths":          {[]func(*ggufFile){key("block_count", 2), key("attention.head_count", 4), key("attention.key_length", 24), key("attention.value_length", 8)}, 2 * 4 * (24 + 8) * 2},
		"each layer says its own":     {[]func(*ggufFile){key("block_count", 3), key("embedding_length", 64), key("attention.head_count", 4), perLayer}, 2 * 2 * (16 + 16) * 2},
		"every other layer keeps any": {[]func(*ggufFile){key("block_count", 4), key("embedding_length", 64), key("attention.head_count", 4), key("full_attention_interval", 2)}, 2 * 4 * (16 + 16) * 2},
		"impossible":                  {[]func(*ggufFile){key("block_count", 1<<31), key("embedding_length", 64), key("attention.head_count", 1<<31)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := readHeader(bytes.NewReader(smallModel(c.keys...)))
			if err != nil || h.CacheBytes != c.want {
				t.Errorf("%d bytes, %v; want %d", h.CacheBytes, err, c.want)
			}
		})
	}
}

func TestMemory(t *testing.T) {
	m := Model{Size: 1000, Format: GGUF, Facts: Facts{ContextLength: 100, CacheBytes: 2}}
	for _, c := range []struct {
		size, parallel int
		want           int64
	}{{0, 1, 1200}, {0, 4, 1800}, {50, 4, 1400}, {50, 0, 1100}} {
		if got, ok := m.Memory(m.Tokens(c.size, c.parallel)); !ok || got != c.want {
			t.Errorf("a context of %d for %d at once: %d, %v; want %d", c.size, c.parallel, got, ok, c.want)
		}
	}
	m.Facts.CacheBytes = 0
	if got, ok := m.Memory(m.Tokens(0, 1)); ok || got != 1000 {
		t.Errorf("a model that does not tell: %d, %v", got, ok)
	}
}

// What a file says is shown on terminals and pages.
func TestFactsArePlainText(t *testing.T) {
	file := smallModel(func(g *ggufFile) { g.stringKey("general.license", " m\x1b[31mit\n\xff ") })
	h, err := readHeader(bytes.NewReader(file))
	if err != nil || h.License != "m[31mit" {
		t.Errorf("license %q, %v", h.License, err)
	}
}

// Some programs take a file's whole length first. Its header is there then, and its weights are not.
func TestAFileWithHolesIsNotOfferedWhileItIsWritten(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.gguf")
	g := &ggufFile{}
	g.stringKey("general.architecture", "llama")
	file := g.bytes()
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 4<<20); err != nil {
		t.Fatal(err)
	}
	l := NewLibrary(dir)
	var broken *BrokenError
	if _, err := l.Find("m"); !errors.As(err, &broken) || !broken.Arriving {
		t.Errorf("while it is written: %v", err)
	}
	long := time.Now().Add(-time.Hour) // it stays so: those are zeros that somebody meant
	if err := os.Chtimes(path, long, long); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Find("m"); err != nil {
		t.Errorf("long after: %v", err)
	}
}

func FuzzTensors(f *testing.F) {
	for _, head := range []string{`{}`, `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, `{"a":{"dtype":"U32","shape":[9223372036854775807,2],"data_offsets":[0,4]}}`, `{"a":{"data_offsets":[9223372036854775807,9223372036854775807]}}`, `[]`} {
		f.Add(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), []byte(head+"0000"))
	}
	f.Fuzz(func(t *testing.T, length, rest []byte) {
		data := append(length, rest...)
		w, err := readTensors(bytes.NewReader(data), int64(len(data)))
		if err == nil && (w.plain < 0 || w.packed < 0) {
			t.Fatalf("impossible weights %+v", w)
		}
	})
}
