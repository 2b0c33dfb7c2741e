package desktop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/process"
	"go.uber.org/goleak"

	"mlxbar/backend/datadir"
)

// TestMain lets this test binary also be the server that the tests start: a real process with the
// files, paths and answers of `mlxbar serve`, and with faults to order.
func TestMain(m *testing.M) {
	if mode := os.Getenv(serverMode); mode != "" && len(os.Args) > 1 && os.Args[1] == "serve" {
		if len(os.Args) != 5 || os.Args[2] != "--"+NoLoginLink || os.Args[3] != "--data-dir" { // its words go to a file
			fmt.Fprintf(os.Stderr, "Error: started with %q\n", os.Args)
			os.Exit(2)
		}
		if err := serve(mode, os.Args[4]); err != nil {
			fmt.Fprintln(os.Stderr, "Error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if root := os.Getenv(windowOn); root != "" {
		if err := window(root); err != nil {
			fmt.Fprintln(os.Stderr, "Error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// windowOn names the data folder on which this test binary is the window.
const windowOn = "MLXBAR_TEST_WINDOW"

// window is one as mlxbar-app is: it says "begun", waits to be the only one, and then says "up" and stays until
// it is told to end, or leaves because its session is over.
func window(root string) error {
	end, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	h := NewHost(root)
	if err := h.Enter(os.Args[1]); err != nil {
		return err
	}
	fmt.Println("begun")
	release, err := h.HoldWindow(end)
	if err != nil {
		return err
	}
	if over, err := h.Over(); over || err != nil {
		return errors.Join(err, release())
	}
	fmt.Println("up")
	<-end.Done()
	return release()
}

const serverMode = "MLXBAR_TEST_SERVER"

const testToken = "a-token-of-the-test"

// serve is the server: "good" is a good one, "taken" finds its port taken, "mute" ends without a word,
// "stopped" is stopped by somebody before anyone sees that it runs, and "dies" then.
func serve(mode, root string) error {
	paths := datadir.At(root)
	switch mode {
	case "taken":
		fmt.Fprintln(os.Stderr, `{"level":"INFO","msg":"starting"}`)
		return fmt.Errorf("Port 10242 is taken by another program.")
	case "mute":
		os.Exit(3)
	case "stopped":
		fmt.Println("mlxbar test ready on http://127.0.0.1:1")
		os.Exit(0)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := os.WriteFile(paths.AdminToken, []byte(testToken+"\n"), 0o600); err != nil {
		return err
	}
	self, err := process.NewProcess(int32(os.Getpid()))
	if err != nil {
		return err
	}
	created, err := self.CreateTime()
	if err != nil {
		return err
	}
	addr := listener.Addr().String()
	raw, err := json.Marshal(Server{PID: os.Getpid(), StartedAt: time.UnixMilli(created), Addr: addr, URL: "http://" + addr, Version: "test"})
	if err != nil {
		return err
	}
	if err := os.WriteFile(paths.ServerFile+".new", raw, 0o600); err != nil {
		return err
	}
	if err := os.Rename(paths.ServerFile+".new", paths.ServerFile); err != nil {
		return err
	}
	if mode == "dies" {
		fmt.Println("mlxbar test ready on http://" + addr)
		os.Exit(1)
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, os.Interrupt)
	server := &http.Server{Handler: handler(end)}
	go func() {
		<-end
		os.Remove(paths.ServerFile)
		server.Close()
	}()
	if err := server.Serve(listener); err != http.ErrServerClosed {
		return err
	}
	return nil
}

func handler(end chan<- os.Signal) http.Handler {
	var draining atomic.Bool
	var listening atomic.Int64
	changed, told := make(chan struct{}, 1), make(chan struct{}, 1)
	status := func() string {
		if draining.Load() {
			return `{"state":"draining"}`
		}
		return `{"state":"running"}`
	}
	api := http.NewServeMux()
	api.HandleFunc("GET /api/status", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, status()) })
	api.HandleFunc("POST /api/shutdown", func(w http.ResponseWriter, r *http.Request) {
		draining.Store(true)
		changed <- struct{}{}
		w.WriteHeader(http.StatusAccepted)
		go func() {
			for heard := false; !heard && listening.Load() > 0; { // whoever listens is told first, however busy the machine is
				select {
				case <-told:
					heard = true
				case <-time.After(5 * time.Millisecond):
				}
			}
			time.Sleep(300 * time.Millisecond) // a request that is still running
			end <- os.Interrupt
		}()
	})
	api.HandleFunc("GET /api/live", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, ": hello\n\n")
		http.NewResponseController(w).Flush()
		listening.Add(1)
		defer listening.Add(-1)
		select {
		case <-changed:
			fmt.Fprintf(w, "event: state\ndata: %s\n\n", status())
			http.NewResponseController(w).Flush()
			told <- struct{}{}
			<-r.Context().Done()
		case <-r.Context().Done():
		}
	})
	api.HandleFunc("GET /api/listeners", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, listening.Load()) })
	api.HandleFunc("/api/echo", func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"host": r.Host, "header": r.Header})
	})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"status":"ok"}`) })
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+testToken {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		api.ServeHTTP(w, r)
	})
	return mux
}

// newHost gives a host on a fresh data folder whose server is of the given mode.
func newHost(t *testing.T, mode string) *Host {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("MLXBAR_BIN", self)
	t.Setenv(serverMode, mode)
	h := NewHost(filepath.Join(t.TempDir(), "data"))
	t.Cleanup(func() {
		if err := h.Drain(context.Background()); err != nil { // t.Context has ended by now
			t.Error(err)
		}
		h.Close()
	})
	if err := h.Paths.EnsureDirs(); err != nil {
		t.Fatal(err)
	}
	return h
}

// eventually waits until is holds.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain: " + what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
