package awake

import (
	"context"
	"os"
	"strconv"
)

// hold has macOS's caffeinate prevent idle sleep; -w ends it with this process.
func hold(context.Context) (release func() error, err error) {
	return byCommand("/usr/bin/caffeinate", "-i", "-w", strconv.Itoa(os.Getpid()))
}
