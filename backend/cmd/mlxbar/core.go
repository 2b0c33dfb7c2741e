package main

import (
	"fmt"
	"syscall"
)

// keepNoCore has neither this process nor its children leave a core file, whatever the shell or
// launchd allows: what they have in memory are people's prompts. Go's own account of a crash has
// addresses and no text.
func keepNoCore() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &limit); err != nil {
		return fmt.Errorf("read the limit on core files: %w", err)
	}
	limit.Cur = 0
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &limit); err != nil {
		return fmt.Errorf("forbid core files: %w", err)
	}
	return nil
}
