package openai

import (
	"runtime"
	"strings"
	"testing"
)

// Records outlive their requests: one that held its body would hold megabytes.
func TestAParsedRequestDoesNotKeepItsBody(t *testing.T) {
	const requests, size = 64, 1 << 20
	body := []byte(`{"model":"m","messages":[{"role":"user","content":"` + strings.Repeat("x", size) + `"}]}`)
	used := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := used()
	var kept []Request
	for range requests {
		r, fault := ParseRequest(Chat, body)
		if fault != nil {
			t.Fatal(fault)
		}
		kept = append(kept, r)
	}
	if after := used(); after > before+requests*size/4 {
		t.Errorf("%d parsed requests of %d bytes keep %d bytes", requests, size, after-before)
	}
	runtime.KeepAlive(kept)
}
