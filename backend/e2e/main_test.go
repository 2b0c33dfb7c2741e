package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"mlxbar/backend/testkit"
)

// program is the mlxbar that this run built; mlx-benchmark lies beside it.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "mlxbar e2e") // with a blank, as people's folders have
	if err == nil {
		program = filepath.Join(dir, "mlxbar")
		err = testkit.Build(dir, "mlxbar", "mlx-benchmark")
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
