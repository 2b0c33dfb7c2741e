package main

import (
	"testing"

	"mlxbar/backend/testkit"
)

func TestWithoutADisplayTheWindowSaysWhatIsMissing(t *testing.T) {
	testkit.WithoutDisplay(t, "mlxbar-app")
}
