package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// program is the mlxbar that this run built.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "mlxbar e2e") // with a blank, as people's folders have
	if err == nil {
		program = filepath.Join(dir, "mlxbar")
		err = build(program)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(dir)
		os.Exit(code)
	}))
}

func build(to string) error {
	said, err := exec.Command("go", "build", "-buildvcs=false", "-o", to, "mlxbar/backend/cmd/mlxbar").CombinedOutput()
	if err != nil {
		return fmt.Errorf("building mlxbar: %w\n%s", err, said)
	}
	return nil
}
