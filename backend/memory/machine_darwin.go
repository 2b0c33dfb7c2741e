package memory

import (
	"sync"

	"golang.org/x/sys/unix"

	"mlxbar/backend/activity"
)

// Machine is what the machine can give to models: what its system lets the GPU have of the memory that both share,
// as it was set, or as it is known to be by itself: three quarters of a large memory, two thirds of others. 0 when the
// system does not tell.
var Machine = sync.OnceValue(func() int64 {
	const large = 36 << 30
	if mb, err := unix.SysctlUint32("iogpu.wired_limit_mb"); err == nil && mb > 0 {
		return int64(mb) << 20
	}
	total := int64(activity.MemoryTotal())
	if total > large {
		return total / 4 * 3
	}
	return total / 3 * 2
})
