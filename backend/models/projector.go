package models

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// neighboursOf sorts out a folder's files once: a person may keep a thousand models in one.
func neighboursOf(names []string) *neighbours {
	n := &neighbours{names: names}
	for _, name := range names {
		if IsGGUF(name) && isProjector(name) {
			n.projectors = append(n.projectors, name)
		}
	}
	if n.projectors == nil {
		return n
	}
	slices.SortFunc(n.projectors, func(a, b string) int { return strings.Compare(rank(a), rank(b)) })
	n.stems = map[string]string{}
	for _, name := range names {
		if IsGGUF(name) {
			n.stems[name] = stem(name)
		}
	}
	return n
}

// projector finds the file that gives a GGUF model eyes or ears: one of the architecture clip, whose name holds mmproj, in
// the model's own folder. It is the model's if it has the same name but for that word and the quantisation, or if
// it names no model and this is the only one in the folder that reads what it makes. One that is not whole is none yet.
func (w *walk) projector(c candidate, width int) (path string, size int64) {
	own, best := c.stems[c.file], ""
	for _, name := range c.projectors {
		of := c.stems[name]
		if of != own && of != "" {
			continue
		}
		is, err := w.inspect(filepath.Join(c.dir, name), readGGUF)
		if err != nil || w.arrived(c, name, is) != nil {
			continue
		}
		h := is.found.(header)
		if h.Architecture != "clip" || of == "" && (h.width != width || w.othersRead(c, own, width)) {
			continue
		}
		if best == "" || of == own && c.stems[best] != own {
			best, size = name, is.size
		}
	}
	if best == "" {
		return "", 0
	}
	return filepath.Join(c.dir, best), size
}

// othersRead says whether another model of the folder, stored in whichever way, reads vectors of that length.
func (w *walk) othersRead(c candidate, own string, width int) bool {
	return slices.ContainsFunc(c.names, func(name string) bool {
		if !IsGGUF(name) || isProjector(name) || c.stems[name] == own {
			return false
		}
		is, err := w.inspect(filepath.Join(c.dir, name), readGGUF)
		return err == nil && is.found.(header).width == width
	})
}

// IsGGUF says whether a file is one by its name.
func IsGGUF(file string) bool { return strings.EqualFold(filepath.Ext(file), ".gguf") }

func isProjector(file string) bool { return strings.Contains(strings.ToLower(file), "mmproj") }

// rank sorts what is in half precision, as most are, before others: it runs on every kind of machine.
func rank(file string) string {
	if halfName.MatchString(file) {
		return "0" + file
	}
	return "1" + file
}

var (
	halfName = regexp.MustCompile(`(?i)(^|[-._])(fp?16)([-._]|$)`)
	wordEnds = regexp.MustCompile(`[-.]+`)
	noName   = regexp.MustCompile(`^(mmproj|model|ud|i?q[1-8](_[a-z0-9]+)*|tq[12]_0|mxfp4(_[a-z0-9]+)?|b?f16|fp?16|fp?32|[0-9]{5}|of)?$`)
)

// stem is what of a GGUF file's name tells which model it is of: not how it is stored, nor that it is a projector.
func stem(file string) string {
	base := strings.TrimSuffix(strings.ToLower(file), ".gguf")
	words := slices.DeleteFunc(wordEnds.Split(strings.ReplaceAll(base, "mmproj_", "mmproj-"), -1), noName.MatchString)
	return strings.Join(words, "-")
}

// alone is the projector of m, if no other of the models has it.
func (c Contents) alone(m Model) string {
	for _, other := range c.Models {
		if other.Name != m.Name && other.Projector == m.Projector {
			return ""
		}
	}
	return m.Projector
}

// FilesOf gives what m consists of in the models folder dir, with its projector where that serves no other model.
func (c Contents) FilesOf(dir string, m Model) ([]string, error) {
	files, err := FilesOf(dir, m.Path)
	if projector := c.alone(m); err == nil && projector != "" {
		files = append(files, projector)
	}
	return files, err
}
