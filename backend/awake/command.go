package awake

import (
	"errors"
	"os/exec"
)

// byCommand holds for as long as a program runs, which has to end with this process by itself.
func byCommand(path string, args ...string) (release func() error, err error) {
	cmd := exec.Command(path, args...)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() error {
		cmd.Process.Kill() // an error says that it has ended
		var ended *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &ended) {
			return err
		}
		return nil
	}, nil
}
