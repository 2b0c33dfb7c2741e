package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// program is the mlxbar that this run built; mlx-benchmark lies beside it.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "mlxbar e2e") // with a blank, as people's folders have
	if err == nil {
		program = filepath.Join(dir, "mlxbar")
		err = build(dir, "mlxbar", "mlx-benchmark")
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

func build(dir string, names ...string) error {
	for _, name := range names {
		said, err := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(dir, name), "mlxbar/backend/cmd/"+name).CombinedOutput()
		if err != nil {
			return fmt.Errorf("building %s: %w\n%s", name, err, said)
		}
	}
	return nil
}
