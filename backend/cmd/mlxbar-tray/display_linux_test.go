package main

import (
	"testing"

	"mlxbar/backend/testkit"
)

func TestWithoutADisplayTheTraySaysWhatIsMissing(t *testing.T) {
	testkit.WithoutDisplay(t, "mlxbar-tray")
}
