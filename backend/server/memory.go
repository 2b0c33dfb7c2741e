package server

import (
	"os"
	"runtime"
	"runtime/debug"
	"slices"

	"mlxbar/backend/engine"
)

// settleMemory is for after the start, which takes more memory than the requests that follow: what it leaves behind is given
// back, some of it by the second collection only. Under load a collection is then put off until there is a quarter more to collect than Go would
// wait for: each holds up the requests of that moment. Who sets GOGC decides otherwise.
func settleMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(125)
	}
	runtime.GC()
	debug.FreeOSMemory()
}

// aftermath gives back what the server itself took for its engines and their requests when the last engine has gone: a
// machine without a model has room for other things, and nobody waits for the collection that this takes.
type aftermath struct {
	giveBack func()
	running  bool
}

// see hears from one goroutine how the engines are.
func (a *aftermath) see(engines []engine.Status) {
	running := slices.ContainsFunc(engines, func(e engine.Status) bool { return e.State != engine.Idle && e.State != engine.Failed })
	if a.running && !running {
		a.giveBack()
	}
	a.running = running
}
