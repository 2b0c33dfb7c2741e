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
	offered, ok := c.source.Offer() // first: what arrives from here on is in the library
	list, err := c.library.List()
	if err != nil || !ok {
		return list, err
	}
	at, there := slices.BinarySearchFunc(list, offered, func(a, b Model) int { return strings.Compare(a.Name, b.Name) })
	if there {
		return list, nil
	}
	return slices.Insert(list, at, offered), nil
}

// Contents is List, and what else the library tells.
func (c *Catalog) Contents() (Contents, error) {
	list, err := c.List()
	if err != nil {
		return Contents{}, err
	}
	all, err := c.library.Contents()
	all.Models = list
	return all, err
}

// Broken gives the files that look like models and cannot be loaded.
func (c *Catalog) Broken() ([]*BrokenError, error) { return c.library.Broken() }
