package models

import (
	"slices"
	"testing"
)

type offer string

func (o offer) Offer() (Model, bool) { return Model{Name: string(o), Format: GGUF}, o != "" }

func TestACatalogHasWhatALibraryHasAndWhatASourceWouldBring(t *testing.T) {
	for name, c := range map[string]struct {
		files []string
		offer offer
		want  []string
	}{
		"nothing is there, and nothing offered": {nil, "", nil},
		"nothing is there":                      {nil, "b", []string{"b"}},
		"others are there":                      {[]string{"a.gguf", "c.gguf"}, "b", []string{"a", "b", "c"}},
		"it has just arrived":                   {[]string{"b.gguf"}, "b", []string{"b"}},
		"nothing is offered":                    {[]string{"a.gguf"}, "", []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, file := range c.files {
				write(t, dir, file, smallModel())
			}
			list, err := NewCatalog(NewLibrary(dir), c.offer).List()
			var got []string
			for _, m := range list {
				got = append(got, m.Name)
			}
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("the catalog has %q, %v; want %q", got, err, c.want)
			}
		})
	}
}
