package split

import "testing"

func TestAPartTellsTheOthers(t *testing.T) {
	for file, want := range map[string]Part{
		"big-Q8_0-00002-of-00003.gguf":    {"big-Q8_0", ".gguf", 2, 3},
		"Q8_0/big-00001-of-00002.GGUF":    {"Q8_0/big", ".GGUF", 1, 2},
		"a-00001-of-00001-00002-of-00009": {"a-00001-of-00001", "", 2, 9},
		"small.gguf":                      {"small", ".gguf", 0, 0},
		"small-1-of-2.gguf":               {"small-1-of-2", ".gguf", 0, 0},
		"-00001-of-00002.gguf":            {"-00001-of-00002", ".gguf", 0, 0},
		"folder.d/name":                   {"folder.d/name", "", 0, 0},
	} {
		got, ok := Parse(file)
		if got != want || ok != (want.Total > 0) {
			t.Errorf("%s: %+v, %v", file, got, ok)
		}
		if ok && got.File(got.Number) != file {
			t.Errorf("%s is written %s", file, got.File(got.Number))
		}
	}
	p, _ := Parse("big-Q8_0-00002-of-00003.gguf")
	if got := p.File(1); got != "big-Q8_0-00001-of-00003.gguf" {
		t.Errorf("the first is %s", got)
	}
}
