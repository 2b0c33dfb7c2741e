// Package export turns the audit into files that other programs read: CSV for
// spreadsheets, JSON lines for scripts. It streams, so that the size of the audit
// does not matter.
package export

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"mlxbar/backend/audit"
	"mlxbar/backend/storage"
)

// Format is a file format.
type Format string

// The formats.
const (
	CSV   Format = "csv"
	JSONL Format = "jsonl"
)

// ParseFormat reads a format's name.
func ParseFormat(s string) (Format, error) {
	switch f := Format(strings.ToLower(s)); f {
	case CSV, JSONL:
		return f, nil
	}
	return "", fmt.Errorf("format %q is not one of csv, jsonl", s)
}

// ContentType is the format's media type.
func (f Format) ContentType() string {
	if f == CSV {
		return "text/csv; charset=utf-8; header=present"
	}
	return "application/jsonl; charset=utf-8"
}

// Extension is the ending of the format's file names, with the dot.
func (f Format) Extension() string { return "." + string(f) }

// Each calls fn for every record to export, as (*audit.Store).Each does once its
// filter is bound.
type Each func(ctx context.Context, fn func(audit.Record) error) error

// Write writes every record of each to w and returns how many. It ends with ctx.
func Write(ctx context.Context, w io.Writer, format Format, each Each) (int64, error) {
	return write(ctx, w, format, each, nil)
}

// progressEvery is how many records lie between two reports of progress.
const progressEvery = 1000

func write(ctx context.Context, w io.Writer, format Format, each Each, progress func(int64)) (int64, error) {
	buf := bufio.NewWriterSize(w, 64<<10)
	put, err := encoder(buf, format, header, appendLine)
	if err != nil {
		return 0, err
	}
	var n int64
	err = each(ctx, func(r audit.Record) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := put(&r); err != nil {
			return err
		}
		n++
		if progress != nil && n%progressEvery == 0 {
			progress(n)
		}
		return nil
	})
	if err == nil {
		err = buf.Flush()
	}
	if err != nil {
		return n, fmt.Errorf("export the audit: %w", err)
	}
	if progress != nil {
		progress(n)
	}
	return n, nil
}

// encoder begins the file and returns what adds one line to it. header and appendLine are those of CSV.
func encoder[T any](w *bufio.Writer, format Format, header []string, appendLine func([]byte, *T) []byte) (func(*T) error, error) {
	switch format {
	case CSV:
		return newCSV(w, header, appendLine)
	case JSONL:
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return func(of *T) error { return enc.Encode(of) }, nil
	}
	return nil, fmt.Errorf("format %q is not one of csv, jsonl", format)
}

// File exports the database at dbPath to dest, whether the server runs or not.
// dest appears complete or not at all, also when ctx ends. progress, which may be nil,
// hears how many records are written so far; Count tells of how many.
func File(ctx context.Context, dbPath, dest string, format Format, f audit.Filter, progress func(records int64)) (n int64, err error) {
	db, err := storage.OpenReadOnly(ctx, dbPath)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	store := audit.NewStore(db)
	return toFile(dest, func(w io.Writer) (int64, error) {
		return write(ctx, w, format, func(ctx context.Context, fn func(audit.Record) error) error {
			return store.Each(ctx, f, fn)
		}, progress)
	})
}

// Errors of File that a person can mend.
var (
	// ErrDiskFull tells that the file did not fit on its disk.
	ErrDiskFull = errors.New("the disk is full; nothing was written")
	// ErrTooLarge tells that the disk or the system takes no file of that size.
	ErrTooLarge = errors.New("the disk takes no file as large as this one; nothing was written")
)

// explain names what a person can mend.
func explain(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	case errors.Is(err, syscall.EFBIG):
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	return err
}

// toFile writes beside dest and renames once all of it is on the disk.
func toFile(dest string, fill func(io.Writer) (int64, error)) (n int64, err error) {
	tmp, err := os.CreateTemp(filepath.Dir(dest), "."+filepath.Base(dest)+".*")
	if err != nil {
		return 0, fmt.Errorf("export to %s: %w", dest, explain(err))
	}
	defer func() {
		if err != nil {
			tmp.Close() // closed already, unless fill or Sync failed
			err = errors.Join(explain(err), os.Remove(tmp.Name()))
		}
	}()
	if n, err = fill(tmp); err != nil {
		return n, fmt.Errorf("export to %s: %w", dest, err)
	}
	if err = errors.Join(tmp.Sync(), tmp.Close()); err != nil {
		return n, fmt.Errorf("export to %s: %w", dest, err)
	}
	if err = os.Rename(tmp.Name(), dest); err != nil {
		return n, fmt.Errorf("export to %s: %w", dest, err)
	}
	return n, nil
}
