// Package split knows the names that llama.cpp's gguf-split gives to the files of a model that it splits: name-00001-of-00003.gguf.
package split

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
)

// Part is what a file's name, or path, tells of it.
type Part struct {
	Base, Ext     string // before the number and after it; of a file that is no part, its name without extension
	Number, Total int    // which part it is of how many; 0 for none
}

var pattern = regexp.MustCompile(`^(.+)-(\d{5})-of-(\d{5})$`)

// Parse gives ok for a part of a split model.
func Parse(file string) (p Part, ok bool) {
	ext := path.Ext(file)
	base := file[:len(file)-len(ext)]
	m := pattern.FindStringSubmatch(base)
	if m == nil {
		return Part{Base: base, Ext: ext}, false
	}
	number, _ := strconv.Atoi(m[2]) // five digits
	total, _ := strconv.Atoi(m[3])
	return Part{Base: m[1], Ext: ext, Number: number, Total: total}, true
}

// File is the name of part n.
func (p Part) File(n int) string {
	return fmt.Sprintf("%s-%05d-of-%05d%s", p.Base, n, p.Total, p.Ext)
}
