// Package cpuprofile writes where a process spends its processor time to a file, for
// measurements: when an environment variable names one, and not otherwise. There is no
// address to fetch it from. A profile holds names of functions and counts, no values.
package cpuprofile

import (
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
)

// Env names the file to write.
const Env = "MLXBAR_CPUPROFILE"

// Start begins the profile that file names; none for "". stop ends it and must be
// called before the process ends, for the file is whole only then.
func Start(file string) (stop func() error, err error) {
	if file == "" {
		return func() error { return nil }, nil
	}
	// Only a new file: a slip of the pen must not cost anybody an old one.
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%s names the file for a profile: %w", Env, err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("profile: %w", err), f.Close(), os.Remove(file))
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}
