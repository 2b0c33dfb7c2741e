//go:build unix

package desktop

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// startDetached starts cmd in a session of its own, so that neither the terminal's signals nor its
// starter's end reach it.
func startDetached(cmd *exec.Cmd) error {
	if err := keepFiles(); err != nil {
		return err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd.Start()
}

// keepFiles marks every open file but the standard ones as not to be inherited. A webview opens
// pipes without that mark; a server that inherited one would hold the page's answers open.
func keepFiles() error {
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		return fmt.Errorf("list open files: %w", err)
	}
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}
