package models

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
)

// part is what a file's name tells: the model's name, and which part of how many
// the file is when the model is split, as llama.cpp's gguf-split names them.
type part struct {
	name          string
	number, total int
	base, ext     string
}

var splitName = regexp.MustCompile(`^(.+)-(\d{5})-of-(\d{5})$`)

// parsePart gives ok for a part of a split model.
func parsePart(file string) (p part, ok bool) {
	ext := filepath.Ext(file)
	base := file[:len(file)-len(ext)]
	m := splitName.FindStringSubmatch(base)
	if m == nil {
		return part{name: CleanName(base), base: base, ext: ext}, false
	}
	number, _ := strconv.Atoi(m[2]) // five digits
	total, _ := strconv.Atoi(m[3])
	return part{name: CleanName(m[1]), number: number, total: total, base: m[1], ext: ext}, true
}

// file is the name of part n.
func (p part) file(n int) string {
	return fmt.Sprintf("%s-%05d-of-%05d%s", p.base, n, p.total, p.ext)
}
