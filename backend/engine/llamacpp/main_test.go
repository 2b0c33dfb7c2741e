package llamacpp

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mlxbar/backend/engine"
	"mlxbar/backend/models"
)

// serverVariable names the data folder of a test binary that is started as a server.
const serverVariable = "LLAMACPP_TEST_SERVER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(serverVariable); dir != "" {
		playServer(dir)
	}
	// The log's rotation keeps a goroutine for as long as the program runs.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"))
}

// told is what a server says of the engine that it has started.
type told struct {
	PID          int
	BaseURL, Key string
}

// playServer is a server that something is about to happen to: it starts the real engine, tells of it on stdout, and
// its log on stderr.
func playServer(dir string) {
	cfg := config(dir, Options{ContextSize: 2048, Parallel: 1, Threads: 1})
	cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	pool := engine.NewPool(cfg)
	lease, err := pool.Acquire(context.Background(), models.StarterName)
	if err != nil {
		panic(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(told{pool.States()[0].PID, lease.BaseURL, lease.APIKey}); err != nil {
		panic(err)
	}
	time.Sleep(time.Hour)
}
