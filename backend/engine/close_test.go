package engine

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"testing"
	"time"

	"mlxbar/backend/models"
	"mlxbar/backend/testkit"
)

func TestCloseEndsEverything(t *testing.T) {
	r := newRig(t, &fakeEngine{}, nil)
	r.library.set("other", nil)
	lease := r.acquire()
	other, err := r.Acquire(t.Context(), "other")
	if err != nil {
		t.Fatal(err)
	}
	other.Release()
	states := r.States()
	within(t, "Close", func(ctx context.Context) {
		if err := r.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	gone(t, lease)
	gone(t, other)
	for _, s := range states {
		if alive(s.PID) {
			t.Errorf("the child of %s is alive", s.Model)
		}
	}
	lease.Release()
	if _, err := r.Acquire(t.Context(), modelName); !errors.Is(err, ErrClosed) {
		t.Errorf("Acquire gives %v", err)
	}
	if err := r.Load(modelName); !errors.Is(err, ErrClosed) {
		t.Errorf("Load gives %v", err)
	}
	if err := r.Unload(t.Context(), modelName); !errors.Is(err, ErrClosed) {
		t.Errorf("Unload gives %v", err)
	}
	within(t, "a second Close", func(ctx context.Context) {
		if err := r.Close(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseTellsWhoWaits(t *testing.T) {
	for name, e := range map[string]*fakeEngine{
		"for a child":  {script: func(int) script { return script{NeverReady: true} }},
		"for a set-up": {prepare: func(ctx context.Context, _ func(string)) error { <-ctx.Done(); return ctx.Err() }},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, e, nil)
			waiting := r.acquireMany(3)
			r.waitState(Loading)
			within(t, "Close", func(ctx context.Context) {
				if err := r.Close(ctx); err != nil {
					t.Error(err)
				}
			})
			for range 3 {
				if got := testkit.Receive(t, waiting); !errors.Is(got.err, ErrClosed) {
					t.Errorf("who waited got %v", got.err)
				}
			}
		})
	}
}

func TestCloseKillsWhatDoesNotEndWhenItsPatienceIsOver(t *testing.T) {
	r := newRig(t, &fakeEngine{script: func(int) script { return script{DeafToStdin: true, DeafToTERM: true} }}, nil)
	lease := r.acquire()
	defer lease.Release()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	within(t, "Close", func(context.Context) {
		if err := r.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	gone(t, lease)
}

func TestCloseCutsADrainShort(t *testing.T) {
	r := newRig(t, &fakeEngine{}, nil)
	lease := r.acquire()
	defer lease.Release()
	unloaded := r.goUnload(context.Background())
	eventually(t, "the unloading to begin", func() bool { return r.state().Detail == "Unloading" })
	within(t, "Close", func(ctx context.Context) {
		if err := r.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	if err := testkit.Receive(t, unloaded); err != nil {
		t.Error(err)
	}
}

// playServer is a server that is about to be killed: it leases a child, tells where
// it answers, and stays.
func playServer() {
	pool := newPool(Config{
		Library: &fakeLibrary{known: map[string]error{modelName: nil}}, Engines: map[models.Format]Engine{models.GGUF: &fakeEngine{}},
		LogDir: os.Getenv(scriptVariable), Logger: slog.New(slog.DiscardHandler),
	}, brisk)
	lease, err := pool.Acquire(context.Background(), modelName)
	if err != nil {
		panic(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode([]string{lease.BaseURL, lease.APIKey}); err != nil {
		panic(err)
	}
	time.Sleep(time.Hour)
}

func TestAServerThatIsKilledLeavesNoOrphan(t *testing.T) {
	server := exec.Command(os.Args[0])
	server.Env = []string{roleVariable + "=server", scriptVariable + "=" + t.TempDir()}
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	line, readErr := bufio.NewReader(out).ReadBytes('\n')
	var told []string
	if readErr == nil {
		readErr = json.Unmarshal(line, &told)
	}
	if readErr != nil || len(told) != 2 {
		server.Process.Kill()
		server.Wait()
		t.Fatalf("the server said %q: %v", line, readErr)
	}
	child := &Lease{BaseURL: told[0], APIKey: told[1]}
	status, _, err := ask(t.Context(), child, "/health")
	if err != nil || status != 200 {
		t.Errorf("the child answers %d, %v", status, err)
	}
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := server.Wait(); err == nil {
		t.Error(fmt.Errorf("the server ended well"))
	}
	eventually(t, "the orphan's end", func() bool {
		_, _, err := ask(t.Context(), child, "/health")
		return err != nil
	})
}
