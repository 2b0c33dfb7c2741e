package testkit

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"mlxbar/backend/datadir"
)

// Build puts programs of mlxbar into a folder.
func Build(dir string, names ...string) error {
	for _, name := range names {
		said, err := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(dir, name), "mlxbar/backend/cmd/"+name).CombinedOutput()
		if err != nil {
			return fmt.Errorf("building %s: %w\n%s", name, err, said)
		}
	}
	return nil
}

// asProgram has a test binary be the program that it tests.
const asProgram = "MLXBAR_TEST_AS_PROGRAM"

// IsProgram says, for a TestMain, whether the test binary was started by Program.
func IsProgram() bool { return os.Getenv(asProgram) != "" }

// Program makes this test binary the program that it tests, on a data folder: a real
// process, with its own signals, exit code and files.
func Program(t testing.TB, dataDir string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	// The race detector would have every process wait for a second before it ends.
	cmd.Env = append(os.Environ(), asProgram+"=1", datadir.Env+"="+dataDir, "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	return cmd
}
