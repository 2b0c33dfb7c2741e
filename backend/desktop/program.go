package desktop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Version is set by the build.
var Version = "0.1.0-dev"

// Program gives the path of another of mlxbar's programs: "mlxbar", "mlxbar-tray" or
// "mlxbar-app". It lies beside this one; MLXBAR_BIN names another folder, or for "mlxbar" the
// program itself.
func Program(name string) (string, error) {
	if dir := os.Getenv("MLXBAR_BIN"); dir != "" {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return executable(filepath.Join(dir, name))
		}
		if name == "mlxbar" {
			return executable(dir)
		}
	}
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the program %s: %w", name, err)
	}
	if real, err := filepath.EvalSymlinks(self); err == nil {
		self = real
	}
	return executable(filepath.Join(filepath.Dir(self), name))
}

func executable(path string) (string, error) {
	found, err := exec.LookPath(path) // with a slash in it: checks, does not search
	if err != nil {
		return "", fmt.Errorf("a part of mlxbar is missing: %w", err)
	}
	return found, nil
}

// Launch starts another of mlxbar's programs on the same data folder, with its own session and
// its words in logs/<name>.log.
func (h *Host) Launch(name string) error {
	binary, err := Program(name)
	if err != nil {
		return err
	}
	if err := h.Paths.EnsureDirs(); err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(h.Paths.Logs, strings.TrimPrefix(name, "mlxbar-")+".log"),
		os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	defer log.Close()
	args := []string{"--data-dir", h.Paths.Root}
	if h.session != "" {
		args = append(args, "--"+SessionFlag, h.session)
	}
	cmd := exec.Command(binary, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := startDetached(cmd); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	go cmd.Wait() // only reaps: a program that fails says so in its log
	return nil
}
