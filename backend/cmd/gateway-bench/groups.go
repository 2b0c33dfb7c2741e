package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// The groups of a profile, in the order of the table.
const (
	groupSyscalls  = "system calls"
	groupNet       = "HTTP, sockets"
	groupTLS       = "TLS"
	groupJSON      = "JSON"
	groupAudit     = "audit, SQLite"
	groupRelay     = "relay, routing"
	groupTelemetry = "telemetry, logs"
	groupAlloc     = "allocation"
	groupGC        = "garbage collection"
	groupScheduler = "scheduler"
	groupRest      = "rest"
)

var groups = []string{groupSyscalls, groupNet, groupTLS, groupJSON, groupAudit, groupRelay, groupTelemetry, groupAlloc, groupGC, groupScheduler, groupRest}

// What a function of the runtime anywhere on a stack says of all that is below it.
var (
	collecting = []string{"runtime.gcBgMarkWorker", "runtime.gcAssistAlloc", "runtime.bgsweep", "runtime.bgscavenge", "runtime.gcStart", "runtime.gcMarkDone", "runtime.(*sweepLocked).sweep"}
	scheduling = []string{"runtime.schedule", "runtime.findRunnable", "runtime.mcall", "runtime.mstart", "runtime.sysmon", "runtime.goready", "runtime.ready", "runtime.wakep",
		"runtime.startm", "runtime.newproc", "runtime.exitsyscall", "runtime.entersyscall", "runtime.reentersyscall"}
	allocating = []string{"runtime.mallocgc", "runtime.newobject", "runtime.makeslice", "runtime.growslice", "runtime.makemap", "runtime.makechan"}
	// entering are the functions in which the processor is the kernel's.
	entering = []string{"internal/runtime/syscall", "runtime/internal/syscall", "syscall.Syscall", "syscall.RawSyscall", "syscall.rawsyscall", "syscall.syscall", "runtime.futex"}
)

// packageGroups says whose work a function is. The first that fits counts.
var packageGroups = []struct{ prefix, group string }{
	{"crypto/tls", groupTLS}, // other users of crypto are charged themselves,
	{"encoding/json", groupJSON},
	{"github.com/tidwall", groupJSON},
	{"mlxbar/backend/audit", groupAudit},
	{"mlxbar/backend/storage", groupAudit},
	{"github.com/mattn/go-sqlite3", groupAudit},
	{"database/sql", groupAudit},
	{"mlxbar/backend/telemetry", groupTelemetry},
	{"go.opentelemetry.io", groupTelemetry},
	{"github.com/prometheus", groupTelemetry},
	{"log/slog", groupTelemetry},
	{"mlxbar/backend/gateway/httpconn", groupNet}, // these four are what net/http is to the bare proxy
	{"mlxbar/backend/gateway/httphead", groupNet},
	{"mlxbar/backend/gateway/httpserver", groupNet},
	{"mlxbar/backend/gateway/socket", groupNet},
	{"mlxbar", groupRelay},
	{"net/http/httputil", groupRelay}, // what the bare proxy has in its place
	{"main", groupRelay},
	{"net", groupNet},
	{"internal/poll", groupNet},
	{"bufio", groupNet},
	{"mime", groupNet},
}

// groupOf says to which group a stack belongs, innermost function first. Helpers of the
// standard library and of the runtime are charged to whoever called them.
func groupOf(stack []string) string {
	if len(stack) == 0 {
		return groupRest
	}
	holds := func(names []string) bool {
		return slices.ContainsFunc(stack, func(f string) bool { return slices.Contains(names, f) })
	}
	switch {
	case holds(collecting):
		return groupGC
	case holds(scheduling):
		return groupScheduler
	case slices.ContainsFunc(entering, func(prefix string) bool { return strings.HasPrefix(stack[0], prefix) }):
		return groupSyscalls
	case holds(allocating):
		return groupAlloc
	}
	for _, f := range stack {
		for _, p := range packageGroups {
			if in(packageOf(f), p.prefix) {
				return p.group
			}
		}
	}
	return groupRest
}

// in says whether a package is that one or below it.
func in(pkg, prefix string) bool { return pkg == prefix || strings.HasPrefix(pkg, prefix+"/") }

// packageOf takes the package out of a function's name, as in net/http.(*conn).serve.
func packageOf(function string) string {
	path := strings.LastIndexByte(function, '/') + 1
	if generic := strings.IndexByte(function, '['); generic >= 0 { // whose arguments have paths of their own
		path = strings.LastIndexByte(function[:generic], '/') + 1
	}
	name, _, _ := strings.Cut(function[path:], ".")
	return function[:path] + name
}

func (h *hotspots) failure() error {
	for _, s := range h.Spent {
		if s.Seconds == 0 || s.Requests == 0 {
			return errors.New("a profile is empty")
		}
	}
	return nil
}

func (h *hotspots) print(w io.Writer) {
	fmt.Fprintf(w, "\n%-22s", fmt.Sprintf("%d connections", h.Connections))
	for _, s := range h.Spent {
		fmt.Fprintf(w, " %13s", shapeNames[s.Shape]+" "+s.Way)
	}
	fmt.Fprintf(w, "\n%-22s", "us a request")
	for range h.Spent {
		fmt.Fprintf(w, " %13s", "us  share")
	}
	fmt.Fprintln(w)
	for _, g := range groups {
		fmt.Fprintf(w, "  %-20s", g)
		for _, s := range h.Spent {
			fmt.Fprintf(w, " %6.1f %4.0f %%", s.ByGroup[g]*1e6/float64(s.Requests), 100*s.ByGroup[g]/s.Seconds)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "  %-20s", "together")
	for _, s := range h.Spent {
		fmt.Fprintf(w, " %6.1f %4d %%", s.Seconds*1e6/float64(s.Requests), 100)
	}
	fmt.Fprintln(w)
}
