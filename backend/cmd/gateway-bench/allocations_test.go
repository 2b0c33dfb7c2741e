package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"mlxbar/backend/testkit"
)

func TestAllocationsAreCounted(t *testing.T) {
	up := testkit.NewUpstream(t)
	var said strings.Builder
	if err := runAllocations(t.Context(), up.URL, filepath.Join(t.TempDir(), "allocations.db"), &said); err != nil {
		t.Fatal(err)
	}
	var counts []float64
	if err := json.Unmarshal([]byte(said.String()), &counts); err != nil || len(counts) != 3 {
		t.Errorf("counted were %q, %v; want three rounds", said.String(), err)
	}
}
