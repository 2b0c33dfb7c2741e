package socket

import (
	"runtime"
	"sync/atomic"
)

// perProcessor is how many requests under way for each processor are few.
const perProcessor = 4

// Traffic counts the requests that are under way at one server or client. The zero value has none.
type Traffic struct{ requests atomic.Int64 }

// Begin is a request's begin.
func (t *Traffic) Begin() { t.requests.Add(1) }

// End is a request's end.
func (t *Traffic) End() { t.requests.Add(-1) }

func (t *Traffic) dense() bool { return t.requests.Load() > few }

var few = int64(perProcessor * runtime.GOMAXPROCS(0))
