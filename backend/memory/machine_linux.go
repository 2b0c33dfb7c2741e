package memory

import (
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"

	"mlxbar/backend/activity"
)

// Machine is what the machine can give to models: its memory, or less where a control group has this process have
// less, as in a container. 0 when the system does not tell.
var Machine = sync.OnceValue(func() int64 {
	total := int64(activity.MemoryTotal())
	if limit := cgroupLimit(os.DirFS("/")); limit > 0 && (total == 0 || limit < total) {
		return limit
	}
	return total
})

// cgroupLimit is the least limit of memory of the process's control groups, of either version; 0 when there is none.
func cgroupLimit(root fs.FS) (least int64) {
	own, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(own)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3) // number, controllers, path
		if len(parts) != 3 {
			continue
		}
		mount, file := "sys/fs/cgroup", "memory.max"
		if parts[1] != "" {
			mount, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		}
		if parts[1] != "" && !strings.Contains(","+parts[1]+",", ",memory,") {
			continue
		}
		// In a container the path may be one of the host, which is not to be seen: its own limit stands at the mount.
		for dir := path.Join(mount, parts[2]); len(dir) >= len(mount); dir = path.Dir(dir) {
			text, err := fs.ReadFile(root, path.Join(dir, file))
			if err != nil {
				continue
			}
			if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 && (least == 0 || n < least) {
				least = n
			}
		}
	}
	return least
}
