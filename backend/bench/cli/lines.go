package cli

import (
	"encoding/json"
	"io"
	"sync"
	"time"

	"mlxbar/backend/bench/workload"
)

// lines tells a program how far a measurement is: an object a line.
type lines struct {
	mu    sync.Mutex
	w     io.Writer
	at    position
	wrote time.Time
}

// position is how far a measurement is.
type position struct {
	What  string `json:"what"`
	Done  int    `json:"done"`
	Total int    `json:"total"`
}

// linesEvery is how often a line tells of requests that have ended.
const linesEvery = 250 * time.Millisecond

func (l *lines) write(v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // numbers and strings only
	}
	l.w.Write(append(raw, '\n')) // who does not listen misses it
}

// tell is called with the lock held.
func (l *lines) tell() {
	l.wrote = time.Now()
	l.write(l.at)
}

func (l *lines) start(total int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at.Total = total
	l.tell()
}

func (l *lines) label(s workload.Spec) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at.What = words(s)
	l.tell()
}

func (l *lines) step() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at.Done++
	if time.Since(l.wrote) > linesEvery {
		l.tell()
	}
}

func (l *lines) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tell()
}

func (l *lines) member(name string, value any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write(map[string]any{name: value})
}

func (l *lines) say(text string)  { l.member("message", text) }
func (l *lines) note(text string) { l.member("message", text) }
func (l *lines) saved(id int64)   { l.member("saved", id) }
func (l *lines) fail(err error)   { l.member("error", err.Error()) }
