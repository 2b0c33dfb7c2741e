//go:build !linux

package engine

import (
	"strconv"

	gopsutil "github.com/shirou/gopsutil/v4/process"
)

// startOf says when a process was started, as the kernel noted it then. An error says that it does not run.
func startOf(pid int) (string, error) {
	ms, err := (&gopsutil.Process{Pid: int32(pid)}).CreateTime()
	if err != nil {
		return "", err
	}
	return strconv.FormatInt(ms, 10), nil
}
