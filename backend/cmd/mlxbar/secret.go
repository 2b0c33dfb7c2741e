package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// maxSecret is far more than any token or key has.
const maxSecret = 4 << 10

// readSecret reads a secret where it is not shown: from a prompt, or from stdin. what is its kind, as errors call it.
func readSecret(c *cobra.Command, what, prompt string) (string, error) {
	var raw []byte
	var err error
	if in, ok := c.InOrStdin().(*os.File); ok && term.IsTerminal(int(in.Fd())) {
		fmt.Fprint(c.ErrOrStderr(), prompt+": ")
		raw, err = term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(c.ErrOrStderr())
	} else {
		raw, err = io.ReadAll(io.LimitReader(c.InOrStdin(), maxSecret+1))
	}
	if err != nil {
		return "", fmt.Errorf("read the %s: %w", what, err)
	}
	if len(raw) > maxSecret {
		return "", fmt.Errorf("what was read is no %s: it is too long", what)
	}
	return strings.TrimSpace(string(raw)), nil
}
