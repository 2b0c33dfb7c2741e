package mlx

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// The log's rotation keeps a goroutine for as long as the program runs.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"))
}
