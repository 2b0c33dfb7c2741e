package testkit

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// WithoutDisplay starts one of mlxbar's programs where there is no desktop at all, and with a display that is not there, and
// holds what it says to one sentence each time.
func WithoutDisplay(t *testing.T, program string) {
	for says, env := range map[string]string{
		"there is no display here": "DISPLAY=",
		"with DISPLAY=:7077":       "DISPLAY=:7077",
	} {
		t.Run(env, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), filepath.Join(Root(t), "build", "bin", program), "--data-dir", filepath.Join(t.TempDir(), "data"))
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), env}
			var said bytes.Buffer
			cmd.Stderr = &said
			var exit *exec.ExitError
			if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Errorf("it ended with %v", err)
			}
			text := said.String()
			if !strings.HasPrefix(text, program+": ") || !strings.Contains(text, says) || !strings.Contains(text, "`mlxbar serve`") || strings.Count(text, "\n") != 1 {
				t.Errorf("it says %s", text)
			}
		})
	}
}
