package testkit

import "testing"

// Prepared gives a fresh data folder that has the runtime and the starter model,
// linked from <repo>/build/cache/data; without those the test fails.
func Prepared(t testing.TB) string { t.Helper(); t.Fatal("run make setup"); return "" }
