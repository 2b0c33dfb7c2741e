package engine

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// A test binary plays the children too: started again with a role, it is one.
const roleVariable = "ENGINE_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "child":
		playChild()
	case "grandchild":
		playGrandchild()
	case "server":
		playServer()
	}
	// The log's rotation keeps a goroutine for as long as the program runs.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"))
}
