package engine

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// startOf says when a process was started: the boot and the clock ticks since then, which a
// wall clock that is set does not change. An error says that it does not run.
func startOf(pid int) (string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	// The name, in parentheses, may hold anything; the state is the first field after it, the start the twentieth.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" {
		return "", fmt.Errorf("process %d has ended", pid)
	}
	return strings.TrimSpace(string(boot)) + " " + fields[19], nil
}
