package storage

import (
	"errors"
	"fmt"

	"github.com/mattn/go-sqlite3"
)

// What can be wrong with a database; errors.Is finds these in an *Error.
var (
	ErrNewer       = errors.New("the database was written by a newer version of mlxbar")
	ErrOlder       = errors.New("the database was written by an older version of mlxbar")
	ErrNotDatabase = errors.New("the file is not an mlxbar database")
	ErrUnwritable  = errors.New("the database cannot be written")
	ErrUnreadable  = errors.New("the database cannot be read")
	ErrDamaged     = errors.New("the database is damaged")
)

var hints = map[error]string{
	ErrNewer:       "update mlxbar, or choose another data folder",
	ErrOlder:       "start the server once, which brings it up to date",
	ErrNotDatabase: "move the file away to let mlxbar make a new one",
	ErrUnwritable:  "check that the folder exists, belongs to you, and that its disk has room",
	ErrUnreadable:  "check that the file exists and belongs to you",
	ErrDamaged:     "move the file away to let mlxbar make a new one, or restore a copy",
}

// Error says what could not be done with which file, and what to do about it.
type Error struct {
	Op, Path string
	Kind     error // one of the Err values, or nil
	cause    error
}

// Error reads as a sentence for a person.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s %s", e.Op, e.Path)
	if e.Kind != nil {
		s += ": " + e.Kind.Error()
	}
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	if hint := e.Hint(); hint != "" {
		s += " (" + hint + ")"
	}
	return s
}

// Hint says what a person can do, or nothing.
func (e *Error) Hint() string { return hints[e.Kind] }

// Unwrap gives the kind and the cause.
func (e *Error) Unwrap() []error {
	var all []error
	for _, err := range []error{e.Kind, e.cause} {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}

// translate gives err, from SQLite or from a migration, its place and kind.
func translate(op, path string, err error) error {
	var known *Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	e := &Error{Op: op, Path: path, cause: err}
	for kind := range hints {
		if errors.Is(err, kind) {
			e.Kind, e.cause = kind, nil
			if err != kind {
				e.cause = err
			}
			return e
		}
	}
	var se sqlite3.Error
	if errors.As(err, &se) {
		switch se.Code {
		case sqlite3.ErrNotADB:
			e.Kind = ErrNotDatabase
		case sqlite3.ErrCorrupt:
			e.Kind = ErrDamaged
		case sqlite3.ErrReadonly, sqlite3.ErrPerm, sqlite3.ErrFull, sqlite3.ErrCantOpen, sqlite3.ErrIoErr:
			e.Kind = ErrUnwritable
		}
	}
	return e
}
