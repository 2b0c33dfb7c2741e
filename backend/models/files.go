package models

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"mlxbar/backend/split"
)

// ErrElsewhere says that a model is not mlxbar's to remove.
var ErrElsewhere = errors.New("the model does not lie in mlxbar's models folder; remove it where it is")

// FilesOf gives what a model consists of in the models folder dir, by its Path: a file, all parts of one that is split, or
// a folder. What lies outside of dir is not mlxbar's to remove.
func FilesOf(dir, first string) ([]string, error) {
	rel, err := filepath.Rel(dir, first)
	if err != nil || !filepath.IsLocal(rel) || rel == "." {
		return nil, ErrElsewhere
	}
	of, isPart := split.Parse(filepath.Base(first))
	if !isPart {
		return []string{first}, nil
	}
	entries, err := os.ReadDir(filepath.Dir(first))
	if err != nil {
		return nil, fmt.Errorf("look for the parts of a model: %w", err)
	}
	files := []string{}
	for _, e := range entries {
		if p, ok := split.Parse(e.Name()); ok && p.Base == of.Base && p.Total == of.Total && strings.EqualFold(p.Ext, of.Ext) {
			files = append(files, filepath.Join(filepath.Dir(first), e.Name()))
		}
	}
	return files, nil
}
