package canary

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"mlxbar/backend/testkit/collector"
)

// Place is where a word may be.
type Place struct {
	Name string
	Text []byte
}

// Text is what was said somewhere.
func Text(name, text string) Place { return Place{name, []byte(text)} }

// Folder is every file below a folder but those named, byte for byte: of a database that is its
// free pages too, and its write-ahead log. Links lead elsewhere and are not followed.
func Folder(dir string, but ...string) (places []Place, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || slices.Contains(but, path) {
			return err
		}
		text, err := os.ReadFile(path)
		places = append(places, Place{path, text})
		return err
	})
	return places, err
}

// Collected is all that a collector got: spans, metrics, log lines and the headers they came with.
func Collected(c *collector.Collector) []Place {
	return []Place{Text("what the collector got", c.Text()), Text("the headers that the collector got", fmt.Sprint(c.Headers()))}
}
