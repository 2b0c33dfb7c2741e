package desktop

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// An Opener shows folders and addresses, and copies text, with the system's own programs. Its
// fields are the commands of one operating system; see System.
type Opener struct {
	open []string
	copy [][]string // the first that is installed is used; the text goes to its stdin
	hint string     // what to install when none is
}

// ErrNoClipboard says that no program can put text on the clipboard.
var ErrNoClipboard = errors.New("no program for the clipboard")

const commandTimeout = 5 * time.Second

// Open shows a folder or an address.
func (o Opener) Open(ctx context.Context, target string) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	args := append(append([]string(nil), o.open[1:]...), target)
	if err := exec.CommandContext(ctx, o.open[0], args...).Run(); err != nil {
		return fmt.Errorf("open %s: %w", target, err)
	}
	return nil
}

// Copy puts text on the clipboard.
func (o Opener) Copy(ctx context.Context, text string) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	for _, command := range o.copy {
		path, err := exec.LookPath(command[0])
		if err != nil {
			continue
		}
		cmd := exec.CommandContext(ctx, path, command[1:]...)
		cmd.Stdin = strings.NewReader(text)
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("copy with %s: %w", command[0], err)
		}
		return nil
	}
	return fmt.Errorf("%w: install %s", ErrNoClipboard, o.hint)
}
