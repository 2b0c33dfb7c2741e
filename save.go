package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"

	"github.com/google/renameio/v2"
	"github.com/wailsapp/wails/v2/pkg/runtime"
)

// maxSaved bounds what the page can have written: a results file may have 64 MiB.
const maxSaved = 64 << 20

// savable are the names that the page gives its files: no folder, and a kind that it makes.
var savable = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,120}\.(png|svg|csv|json|md)$`)

// What is not saved.
var (
	errSaveName = errors.New("the file's name must be a plain one that ends in .png, .svg, .csv, .json or .md")
	errSaveSize = errors.New("the file is larger than 64 MiB")
)

// SaveFile asks where to save and writes there what content holds in base64: pictures,
// tables and conversations that the page has made itself, for a webview has no downloads. It gives the path,
// "" when somebody thought better of it.
func (a *App) SaveFile(name, content string) (string, error) {
	if !savable.MatchString(name) {
		return "", errSaveName
	}
	if base64.StdEncoding.DecodedLen(len(content)) > maxSaved+2 { // the padding counts there
		return "", errSaveSize
	}
	raw, err := base64.StdEncoding.DecodeString(content)
	if err != nil {
		return "", fmt.Errorf("read what the page made: %w", err)
	}
	extension := filepath.Ext(name)
	dest, err := a.askWhere(a.ctx, runtime.SaveDialogOptions{
		Title:                "Save " + name,
		DefaultFilename:      name,
		Filters:              []runtime.FileFilter{{DisplayName: extension[1:], Pattern: "*" + extension}},
		CanCreateDirectories: true,
	})
	if err != nil {
		return "", fmt.Errorf("ask where to save: %w", err)
	}
	if dest == "" {
		return "", nil
	}
	// A window that closes meanwhile waits until nothing half-written is left.
	a.work.Add(1)
	defer a.work.Done()
	if err := renameio.WriteFile(dest, raw, 0o644, renameio.WithTempDir(filepath.Dir(dest))); err != nil {
		return "", fmt.Errorf("save %s: %w", filepath.Base(dest), err)
	}
	return dest, nil
}
