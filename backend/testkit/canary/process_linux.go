package canary

import (
	"fmt"
	"os"
)

// Process is a process' command line and environment, as others on this machine see them.
func Process(pid int) (places []Place, err error) {
	for _, what := range []string{"cmdline", "environ"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, what))
		if err != nil {
			return nil, err
		}
		places = append(places, Place{fmt.Sprintf("the %s of process %d", what, pid), text})
	}
	return places, nil
}
