package models

import (
	"errors"
	"slices"
	"strings"
)

// shelf gives models their names. They come in a fixed order, the models folder first, then the
// added ones as the settings have them, each by path; so which of two is called what does not change
// by chance. A name goes to the first. A later one of the same name is
//
//   - a copy, when size and facts are the same too and no other publisher is named: it is not listed,
//   - called publisher/name, when it has a publisher, and that is free,
//   - else not offered, and listed with that reason.
type shelf struct {
	models []Model
	broken []*BrokenError
	taken  map[string]held
}

// held is who has a name: an index into models, and where that one came from.
type held struct {
	index     int
	candidate candidate
}

func newShelf() *shelf { return &shelf{taken: map[string]held{}} }

// put takes what Library.model gives.
func (s *shelf) put(c candidate, m Model, err error) {
	var broken *BrokenError
	if errors.As(err, &broken) {
		s.broken = append(s.broken, broken)
		return
	}
	if err != nil {
		return // it is gone already, or no model
	}
	first, taken := s.taken[m.Name]
	if taken && s.same(first, c, m) {
		s.models[first.index].Copies++
		return
	}
	if taken && c.publisher != "" {
		m.Name = CleanName(c.publisher) + "/" + m.Name
		if first, taken = s.taken[m.Name]; taken && s.same(first, c, m) {
			s.models[first.index].Copies++
			return
		}
	}
	if taken {
		reason := "another model has the same name; rename one of them"
		if first.candidate.dir == c.dir {
			reason = "another file has the same name but for its case"
		}
		s.broken = append(s.broken, &BrokenError{Name: m.Name, File: c.title(), Path: c.path(), Folder: c.folder, Problem: reason})
		return
	}
	s.taken[m.Name] = held{len(s.models), c}
	s.models = append(s.models, m)
}

// same says whether a model is what has its name already, as far as can be told without reading all of both.
func (s *shelf) same(first held, c candidate, m Model) bool {
	other := s.models[first.index]
	publishers := first.candidate.publisher == "" || c.publisher == "" || strings.EqualFold(first.candidate.publisher, c.publisher)
	return first.candidate.dir != c.dir && publishers && other.Format == m.Format && other.Size == m.Size && other.Facts == m.Facts
}

func (s *shelf) contents() Contents {
	slices.SortFunc(s.models, func(a, b Model) int { return strings.Compare(a.Name, b.Name) })
	return Contents{Models: s.models, Broken: s.broken}
}
