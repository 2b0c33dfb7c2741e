package models

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mlxbar/backend/split"
)

const (
	// maxDepth is how deep in a folder models are looked for: LM Studio's publisher/name/file is two.
	maxDepth = 3
	// maxSeen bounds what is looked at in one folder, for somebody may add the root of a disk.
	maxSeen = 20_000
)

var errTooMuch = errors.New("it holds too many files; name the folder in it that has the models")

// origin is what the place of a model tells about it.
type origin struct {
	publisher string
	name      string // of the repository, in the Hugging Face cache
	depth     int
}

// candidate is what looks like a model: a GGUF file, or the first of several, or a folder.
type candidate struct {
	folder    string // the library's
	dir       string
	file      string // "" for a folder with safetensors
	name      string // before it is cleaned
	publisher string
	part      split.Part
	*neighbours
}

// neighbours are the files of a folder, for all candidates in it.
type neighbours struct {
	names      []string
	projectors []string          // in the order in which they are preferred
	stems      map[string]string // of its GGUF files; nil where no projector asks for them
}

func (c candidate) base() string { return filepath.Base(c.dir) }

// title is how a person finds it: the file's name, or the folder's.
func (c candidate) title() string {
	if c.file != "" {
		return c.file
	}
	return c.name
}

// path is where the model is, or would be.
func (c candidate) path() string { return filepath.Join(c.dir, c.file) }

// walk is one look at the disk.
type walk struct {
	library    *Library
	read       map[string]bool // folders that were read, or are not there
	inspected  map[string]bool
	folder     Folder
	seen       int
	candidates []candidate
	unread     error // of a folder somewhere below
}

func (w *walk) begin(f Folder) { w.folder, w.seen, w.candidates, w.unread = f, 0, nil, nil }

// problem is why not all of a folder was seen.
func (w *walk) problem(err error) string {
	switch {
	case errors.Is(err, os.ErrNotExist) && w.folder.Added:
		return "it is not there"
	case errors.Is(err, os.ErrNotExist):
		return ""
	case err != nil:
		return problemOf(err)
	case w.unread != nil:
		return "a folder in it cannot be read: " + strings.TrimPrefix(problemOf(w.unread), "it cannot be read: ")
	}
	return ""
}

// look finds the candidates of a folder and of those below it.
func (w *walk) look(dir string, from origin) error {
	if w.read[dir] {
		return nil // one added folder lies in another
	}
	list, err := w.library.entries(dir)
	w.read[dir] = true
	if err != nil {
		return err
	}
	if w.seen += len(list); w.seen > maxSeen {
		return errTooMuch
	}
	names, folders := []string{}, []string{}
	for _, e := range list {
		if strings.HasPrefix(e.name, ".") {
			continue
		}
		if e.dir {
			folders = append(folders, e.name)
		} else {
			names = append(names, e.name)
		}
	}
	if w.add(dir, names, from) || from.depth >= maxDepth {
		return nil
	}
	for _, name := range folders {
		if err := w.below(dir, name, from); errors.Is(err, errTooMuch) {
			return err
		} else if err != nil && !errors.Is(err, os.ErrNotExist) {
			w.unread = err
		}
	}
	return nil
}

// below goes into a folder of a folder.
func (w *walk) below(dir, name string, from origin) error {
	path := filepath.Join(dir, name)
	if repository, ok := strings.CutPrefix(name, "models--"); ok {
		return w.repository(path, repository)
	}
	if strings.HasPrefix(name, "datasets--") || strings.HasPrefix(name, "spaces--") {
		return nil
	}
	from.depth++
	if from.publisher == "" {
		from.publisher = name
	}
	from.name = ""
	return w.look(path, from)
}

// add takes the candidates among a folder's files; whole when the folder itself is one.
func (w *walk) add(dir string, names []string, from origin) (whole bool) {
	c := candidate{folder: w.folder.Path, dir: dir, publisher: from.publisher, neighbours: neighboursOf(names)}
	if slices.Contains(names, configFile) && slices.ContainsFunc(names, isSafetensors) {
		whole = true
		m := c
		if m.name = from.name; m.name == "" {
			m.name = c.base()
		}
		if from.name == "" && from.depth < 2 {
			m.publisher = "" // the folder that was met first is the model's own
		}
		w.candidates = append(w.candidates, m)
	}
	for _, file := range names {
		if !IsGGUF(file) {
			continue
		}
		p, isPart := split.Parse(file)
		if isPart && p.Number > 1 && slices.Contains(names, p.File(1)) {
			continue // counted with the first
		}
		g := c
		g.file, g.name, g.part = file, CleanName(p.Base), p
		w.candidates = append(w.candidates, g)
	}
	return whole
}

// repository is one in the Hugging Face cache: models--org--name, with snapshots of its revisions, whose
// files lead to blobs (https://huggingface.co/docs/huggingface_hub/guides/manage-cache). The revision that
// the branch main is at counts, else the one that was added last.
func (w *walk) repository(dir, id string) error {
	from := origin{name: id}
	if org, name, ok := strings.Cut(id, "--"); ok {
		from = origin{publisher: org, name: name}
	}
	snapshots := filepath.Join(dir, "snapshots")
	for _, parent := range []string{dir, filepath.Join(dir, "refs")} {
		w.read[parent] = true
	}
	list, err := w.library.entries(snapshots)
	w.read[snapshots] = true
	if err != nil {
		return err
	}
	main, _ := os.ReadFile(filepath.Join(dir, "refs", "main")) // there is none of a revision that was named by its hash
	var revision string
	var latest time.Time
	for _, e := range list {
		if !e.dir {
			continue
		}
		if e.name == strings.TrimSpace(string(main)) {
			revision = e.name
			break
		}
		if info, err := os.Stat(filepath.Join(snapshots, e.name)); err == nil && info.ModTime().After(latest) {
			revision, latest = e.name, info.ModTime()
		}
	}
	if revision == "" {
		return nil
	}
	return w.look(filepath.Join(snapshots, revision), from)
}

// forgetOthers lets go of what is remembered of places that are gone.
func (w *walk) forgetOthers() {
	maps.DeleteFunc(w.library.listings, func(dir string, _ listing) bool { return !w.read[dir] })
	maps.DeleteFunc(w.library.files, func(file string, _ inspected) bool { return !w.inspected[file] })
}

// listing is a folder's entries, by name. modified is the folder's time when they were read; zero
// when they are not to be trusted.
type listing struct {
	modified time.Time
	entries  []entry
}

type entry struct {
	name string
	dir  bool
}

// entries reads a folder, unless its modification time tells that they are those of last time.
func (l *Library) entries(dir string) ([]entry, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if known, ok := l.listings[dir]; ok && !known.modified.IsZero() && known.modified.Equal(info.ModTime()) {
		return known.entries, nil
	}
	now := time.Now()
	read, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	fresh := listing{modified: info.ModTime()}
	if now.Sub(info.ModTime()) < time.Second { // a change in the same tick of the file system's clock would not show
		fresh.modified = time.Time{}
	}
	for _, e := range read {
		found := entry{name: e.Name(), dir: e.IsDir()}
		if e.Type()&os.ModeSymlink != 0 {
			target, err := os.Stat(filepath.Join(dir, e.Name()))
			if err != nil {
				fresh.modified = time.Time{} // its target may come without a change here
				continue
			}
			found.dir = target.IsDir()
		}
		fresh.entries = append(fresh.entries, found)
	}
	l.listings[dir] = fresh
	return fresh.entries, nil
}

// expand puts the person's own folder in the place of a leading ~.
func expand(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			path = filepath.Join(home, rest)
		}
	}
	return filepath.Clean(path)
}
