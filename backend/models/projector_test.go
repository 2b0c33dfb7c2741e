package models

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func eyes(width uint32) []byte {
	g := &ggufFile{}
	g.stringKey("general.architecture", "clip")
	g.uintKey("clip.vision.projection_dim", width)
	return g.bytes()
}

// A projector is its model's by name; one without a name is the only model's that reads what it makes.
func TestWhoseAProjectorIs(t *testing.T) {
	model := smallModel(func(g *ggufFile) { g.uintKey("llama.embedding_length", 64) })
	narrow := smallModel(func(g *ggufFile) { g.uintKey("llama.embedding_length", 32) })
	fits, other := eyes(64), eyes(32)
	for name, c := range map[string]struct {
		files map[string][]byte
		want  map[string]string // of the model's name
	}{
		"by its name":                  {map[string][]byte{"Cat-7B-Q4_K_M.gguf": model, "dog.gguf": model, "mmproj-Cat-7B-f16.gguf": fits}, map[string]string{"cat-7b-q4_k_m": "mmproj-Cat-7B-f16.gguf", "dog": ""}},
		"with the word at the end":     {map[string][]byte{"cat.Q8_0.gguf": model, "dog.gguf": model, "cat.mmproj-Q8_0.gguf": other}, map[string]string{"cat.q8_0": "cat.mmproj-Q8_0.gguf", "dog": ""}},
		"of all that a model comes in": {map[string][]byte{"cat-Q4_0.gguf": model, "cat-IQ2_XXS.gguf": model, "mmproj-model-f16.gguf": fits}, map[string]string{"cat-q4_0": "mmproj-model-f16.gguf", "cat-iq2_xxs": "mmproj-model-f16.gguf"}},
		"of no one of several":         {map[string][]byte{"cat.gguf": model, "dog.gguf": model, "mmproj-F16.gguf": fits}, map[string]string{"cat": "", "dog": ""}},
		"of the one that reads it":     {map[string][]byte{"cat.gguf": model, "dog.gguf": narrow, "mmproj-F16.gguf": fits}, map[string]string{"cat": "mmproj-F16.gguf", "dog": ""}},
		"not what makes another width": {map[string][]byte{"cat.gguf": model, "mmproj-F16.gguf": other}, map[string]string{"cat": ""}},
		"in half precision":            {map[string][]byte{"cat.gguf": model, "mmproj-BF16.gguf": fits, "mmproj-F16.gguf": fits, "mmproj-F32.gguf": fits}, map[string]string{"cat": "mmproj-F16.gguf"}},
		"rather one that names it":     {map[string][]byte{"cat.gguf": model, "mmproj-F16.gguf": fits, "mmproj-cat-Q8_0.gguf": fits}, map[string]string{"cat": "mmproj-cat-Q8_0.gguf"}},
		"not what is cut off":          {map[string][]byte{"cat.gguf": model, "mmproj-cat.gguf": fits[:len(fits)-4]}, map[string]string{"cat": ""}},
		"not what is no projector":     {map[string][]byte{"cat.gguf": model, "mmproj-cat.gguf": model}, map[string]string{"cat": "", "mmproj-cat": ""}},
		"not from another folder":      {map[string][]byte{"cat.gguf": model, "maker/cat/mmproj-cat.gguf": fits}, map[string]string{"cat": ""}},
		"of a split model":             {map[string][]byte{"cat-Q4_0-00001-of-00001.gguf": model, "mmproj-cat-F16.gguf": fits}, map[string]string{"cat-q4_0": "mmproj-cat-F16.gguf"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, data := range c.files {
				write(t, dir, file, data)
			}
			list, err := NewLibrary(dir).List()
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, m := range list {
				got[m.Name] = ""
				if m.Projector == "" {
					continue
				}
				got[m.Name] = filepath.Base(m.Projector)
				if bytes, _ := m.Memory(0); bytes != m.Size+int64(len(fits)) {
					t.Errorf("%s takes %d, its projector is not counted", m.Name, bytes)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What only one model uses goes and comes back with it.
func TestAProjectorIsRemovedWithItsLastModel(t *testing.T) {
	dir := t.TempDir()
	model := smallModel()
	write(t, dir, "cat-Q4_0.gguf", model)
	write(t, dir, "cat-Q8_0.gguf", model)
	write(t, dir, "mmproj-cat.gguf", eyes(1))
	l := NewLibrary(dir)
	trash := NewTrash(l)
	left := func() []string {
		files, err := filepath.Glob(filepath.Join(dir, "*.gguf"))
		if err != nil {
			t.Fatal(err)
		}
		for i, file := range files {
			files[i] = filepath.Base(file)
		}
		return files
	}
	now := time.Now()
	for _, step := range []struct {
		do   func() error
		want []string
	}{
		{func() error { _, err := trash.Remove("cat-q4_0", false, now); return err }, []string{"cat-Q8_0.gguf", "mmproj-cat.gguf"}},
		{func() error { _, err := trash.Remove("cat-q8_0", false, now); return err }, nil},
		{func() error { return trash.Restore("cat-q8_0", now) }, []string{"cat-Q8_0.gguf", "mmproj-cat.gguf"}},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, left()); diff != "" {
			t.Error(diff)
		}
	}
}
