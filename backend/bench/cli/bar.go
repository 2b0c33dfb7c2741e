package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"mlxbar/backend/bench/workload"
)

// progress tells how far a measurement is, and what else there is to say meanwhile.
type progress interface {
	start(total int)
	label(workload.Spec)
	step()
	say(text string)  // to whoever watches
	note(text string) // where something has been put
	saved(id int64)
	stop()
}

// bar shows how far a measurement is, on a terminal only.
type bar struct {
	mu     sync.Mutex
	w      io.Writer
	on     bool
	done   int
	total  int
	what   string
	active bool
	drawn  time.Time
}

const (
	barWidth = 20
	barMost  = 79 // a line that fills its terminal would be broken
	barEvery = 100 * time.Millisecond
)

func newBar(w io.Writer, on bool) *bar { return &bar{w: w, on: on} }

func (b *bar) start(total int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total, b.active = total, true
}

// label names the case that is measured.
func (b *bar) label(s workload.Spec) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.what = words(s)
	b.draw()
}

// words name a case.
func words(s workload.Spec) string {
	if s.Skip != "" {
		return s.Route
	}
	return fmt.Sprintf("%s %s, %s, %d at a time", s.Route, s.Model, s.Prompt.Name, s.Concurrency)
}

func (b *bar) step() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done++
	if time.Since(b.drawn) > barEvery {
		b.draw()
	}
}

// draw is called with the lock held.
func (b *bar) draw() {
	if !b.on || !b.active {
		return
	}
	b.drawn = time.Now()
	part := min(b.done*barWidth/max(b.total, 1), barWidth)
	line := []rune(fmt.Sprintf("[%s%s] %d/%d  %s", strings.Repeat("#", part), strings.Repeat(".", barWidth-part), b.done, b.total, b.what))
	fmt.Fprintf(b.w, "\r%s\x1b[K", string(line[:min(len(line), barMost)]))
}

// say writes a line above the bar.
func (b *bar) say(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clear()
	fmt.Fprintln(b.w, "mlx-benchmark:", text)
}

func (b *bar) note(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clear()
	fmt.Fprintln(b.w, text)
}

func (b *bar) saved(id int64) {
	b.note(fmt.Sprintf("results kept by mlxbar, as benchmark %d", id))
}

func (b *bar) clear() {
	if b.on && b.active {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}

// stop takes the bar away.
func (b *bar) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clear()
	b.active = false
}
