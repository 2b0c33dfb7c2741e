package engine

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const scriptVariable = "ENGINE_TEST_SCRIPT"

// script is what a child does. The zero script is a good one: it takes its key from
// stdin, tells its address, answers, and ends when stdin closes.
type script struct {
	Gate         string   // it is ready once this file is there
	Says         []string // on stderr, while it loads
	SaysPlenty   int      // so many long lines more
	ExitsLoading int      // the status with which it ends while it loads
	KilledAtLoad bool     // by a SIGKILL of its own
	NeverReady   bool
	Address      string // told instead of its own
	Unwell       bool   // never answers its health path with 200
	DeafToStdin  bool
	DeafToTERM   bool
	Heir         string // leaves a process behind that holds its output while this file is there
	ClosesStdin  bool   // before it reads it, and ends
	Identity     string // stands in its health
}

// What its exit statuses tell.
const (
	endedByStdin = 0
	endedByTERM  = 14
	endedByOrder = 15
)

func playChild() {
	var s script
	if err := json.Unmarshal([]byte(os.Getenv(scriptVariable)), &s); err != nil {
		panic(err)
	}
	if s.ClosesStdin {
		os.Stdin.Close()
		os.Exit(endedByOrder)
	}
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	go func() {
		for range terminated {
			if !s.DeafToTERM {
				os.Exit(endedByTERM)
			}
		}
	}()
	stdin := bufio.NewReader(os.Stdin)
	key, err := stdin.ReadString('\n')
	if err != nil {
		os.Exit(endedByStdin)
	}
	go func() {
		io.Copy(io.Discard, stdin)
		if !s.DeafToStdin {
			os.Exit(endedByStdin)
		}
	}()
	s.load()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	address := s.Address
	if address == "" {
		address = "http://" + listener.Addr().String()
	}
	fmt.Println("ready", address)
	err = http.Serve(listener, s.handler(strings.TrimSpace(key), listener))
	if !errors.Is(err, net.ErrClosed) {
		panic(err)
	}
	select {} // it goes on without its address
}

// load does what comes before the ready line.
func (s script) load() {
	for _, line := range s.Says {
		fmt.Fprintln(os.Stderr, line)
	}
	for range s.SaysPlenty {
		fmt.Fprintln(os.Stderr, strings.Repeat("loading ", 1000))
	}
	if s.Heir != "" {
		heir := exec.Command(os.Args[0])
		heir.Env = []string{roleVariable + "=grandchild", scriptVariable + "=" + s.Heir, noPause}
		heir.Stdout, heir.Stderr = os.Stdout, os.Stderr
		if err := heir.Start(); err != nil {
			panic(err)
		}
	}
	for s.Gate != "" && !there(s.Gate) {
		time.Sleep(5 * time.Millisecond)
	}
	switch {
	case s.KilledAtLoad:
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case s.ExitsLoading != 0:
		os.Exit(s.ExitsLoading)
	case s.NeverReady:
		select {}
	}
}

// playGrandchild holds what it has inherited while a file is there, not for ever.
func playGrandchild() {
	for end := time.Now().Add(time.Minute); there(os.Getenv(scriptVariable)) && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	os.Exit(0)
}

func there(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// handler answers only to the key. A test tells the child by these paths what to do.
func (s script) handler(key string, listener net.Listener) http.Handler {
	var frozen, sick, mute, stuck atomic.Bool
	var tokens, turns, looks atomic.Int64
	sick.Store(s.Unwell)
	mux := http.NewServeMux()
	mux.HandleFunc("/health", func(w http.ResponseWriter, r *http.Request) {
		looks.Add(1)
		if frozen.Load() {
			<-r.Context().Done()
		}
		if sick.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
		fmt.Fprint(w, s.Identity)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, _ *http.Request) {
		tokens.Add(1)
		if !mute.Load() {
			fmt.Fprint(w, "a token")
		}
	})
	mux.HandleFunc("/turning", func(_ http.ResponseWriter, r *http.Request) {
		turns.Add(1)
		if stuck.Load() {
			<-r.Context().Done()
		}
	})
	mux.HandleFunc("/asked", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, tokens.Load(), " ", turns.Load(), " ", looks.Load())
	})
	for order, obey := range map[string]func(){
		"/mute": func() { mute.Store(true) }, "/stick": func() { stuck.Store(true) }, "/leave": func() { listener.Close() },
		"/freeze": func() { frozen.Store(true) }, "/sicken": func() { sick.Store(true) },
	} {
		mux.HandleFunc(order, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "0") // the answer goes first: a pool that looks all the time may end the child as soon as it has obeyed
			http.NewResponseController(w).Flush()
			obey()
		})
	}
	mux.HandleFunc("/die", func(http.ResponseWriter, *http.Request) { os.Exit(endedByOrder) })
	mux.HandleFunc("/environ", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Join(os.Environ(), "\n")) })
	mux.HandleFunc("/say", func(_ http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(os.Stdout, r.FormValue("stdout"))
		fmt.Fprintln(os.Stderr, r.FormValue("stderr"))
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+key {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	})
}
