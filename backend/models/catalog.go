package models

import (
	"slices"
	"strings"
)

// Source brings a model that is not on disk yet.
type Source interface {
	// Offer is the model that a request for it would bring now; ok is false when
	// there is none. It has no Path.
	Offer() (m Model, ok bool)
}

// Catalog is what a request may name: the models of a library, and the one that a
// source would bring.
type Catalog struct {
	library *Library
	source  Source
}

// NewCatalog makes the catalog of a library and a source.
func NewCatalog(library *Library, source Source) *Catalog { return &Catalog{library, source} }

// List gives the models that can be asked for, by name.
func (c *Catalog) List() ([]Model, error) {
	all, err := c.Contents()
	return all.Models, err
}

// Contents is what the library tells, with the model that the source offers.
func (c *Catalog) Contents() (Contents, error) {
	offered, ok := c.source.Offer() // first: what arrives from here on is in the library
	all, err := c.library.Contents()
	if err != nil || !ok {
		return all, err
	}
	at, there := slices.BinarySearchFunc(all.Models, offered, func(a, b Model) int { return strings.Compare(a.Name, b.Name) })
	if !there {
		all.Models = slices.Insert(all.Models, at, offered)
	}
	return all, nil
}
