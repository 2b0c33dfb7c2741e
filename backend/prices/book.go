package prices

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"

	"mlxbar/backend/filewatch"
)

// Book keeps the prices in force: those of a file, as it stands, before the built-in ones. It is safe
// for concurrent use.
type Book struct {
	path      string
	onProblem func(error)
	table     atomic.Pointer[Table]

	mu        sync.Mutex
	wrong     error // why the file as it stands is not in force
	unwatched error // why edits of it are not seen
}

// Read reads the prices of a file, which need not be there.
func Read(path string) (*Table, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Table{builtIn: builtIn()}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read prices.json: %w", err)
	}
	own, err := parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Table{own: own, builtIn: builtIn()}, nil
}

// Open reads the file at path. One that cannot be used is the book's Problem, and until it is mended no
// price is known: the built-in ones are not what the person wants to be told. onProblem, which may be
// nil, is called when Problem changes.
func Open(path string, onProblem func(error)) *Book {
	b := &Book{path: path, onProblem: onProblem}
	table, err := Read(path)
	if err != nil {
		table, b.wrong = &Table{}, err
	}
	b.table.Store(table)
	return b
}

// Current is the table in force.
func (b *Book) Current() *Table { return b.table.Load() }

// Path is the file.
func (b *Book) Path() string { return b.path }

// Problem tells why the file as it stands is not in force, or that edits of it are not seen; nil when all
// is well.
func (b *Book) Problem() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.problem()
}

func (b *Book) problem() error {
	if b.wrong != nil {
		return b.wrong
	}
	return b.unwatched
}

// Watch puts edits of the file in force until ctx ends. When one cannot be used, the table before it stays.
func (b *Book) Watch(ctx context.Context) {
	filewatch.Follow(ctx, b.path, b.reload, func(err error) {
		if err != nil {
			err = fmt.Errorf("Edits of prices.json take no effect at present, because its folder cannot be watched (%w); mlxbar tries again and again", err)
		}
		b.change(func() { b.unwatched = err })
	})
}

func (b *Book) reload() {
	b.change(func() {
		table, err := Read(b.path)
		if b.wrong = err; err == nil {
			b.table.Store(table)
		}
	})
}

// change does something that may change the problem, and tells of that.
func (b *Book) change(do func()) {
	b.mu.Lock()
	before := b.problem()
	do()
	now := b.problem()
	b.mu.Unlock()
	if b.onProblem != nil && fmt.Sprint(before) != fmt.Sprint(now) {
		b.onProblem(now)
	}
}
