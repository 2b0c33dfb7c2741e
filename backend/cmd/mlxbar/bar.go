package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"mlxbar/backend/download"
	"mlxbar/backend/units"
)

// bar shows how far a download is: on a terminal as a bar, of the kind that mlx-benchmark draws, elsewhere as a line
// for each change of its status.
type bar struct {
	w        io.Writer
	terminal bool
	last     download.Status
	drawn    bool
}

const (
	barWidth = 20
	barMost  = 79 // a line that fills its terminal would be broken
)

func newBar(w io.Writer) *bar {
	f, ok := w.(*os.File)
	return &bar{w: w, terminal: ok && isTerminal(f)}
}

func (b *bar) show(j download.Job) {
	if b.terminal {
		line := []rune(barLine(j))
		fmt.Fprintf(b.w, "\r%s\x1b[K", string(line[:min(len(line), barMost)]))
		b.drawn = true
	} else if j.Status != b.last && j.Status != download.Done && j.Status != download.Failed {
		fmt.Fprintf(b.w, "%s: %s, %s of %s\n", j.Model, j.Status, units.Bytes(j.DoneBytes), units.Bytes(j.TotalBytes))
	}
	b.last = j.Status
}

// clear takes the bar away.
func (b *bar) clear() {
	if b.drawn {
		fmt.Fprint(b.w, "\r\x1b[K")
		b.drawn = false
	}
}

func barLine(j download.Job) string {
	part := 0
	if j.TotalBytes > 0 {
		part = int(min(j.DoneBytes*barWidth/j.TotalBytes, barWidth))
	}
	line := fmt.Sprintf("[%s%s] %s of %s", strings.Repeat("#", part), strings.Repeat(".", barWidth-part), units.Bytes(j.DoneBytes), units.Bytes(j.TotalBytes))
	switch {
	case j.Status == download.Downloading && j.BytesPerSecond > 0:
		line += fmt.Sprintf("  %s/s", units.Bytes(int64(j.BytesPerSecond)))
		if j.SecondsLeft != nil {
			line += "  " + left(*j.SecondsLeft)
		}
	case j.Problem != "":
		line += "  " + string(j.Status) + ": " + j.Problem
	default:
		line += "  " + string(j.Status)
	}
	return line
}

// left is a time as people say it.
func left(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second)).Round(time.Second)
	switch {
	case d >= 48*time.Hour:
		return "days left"
	case d >= time.Hour:
		return fmt.Sprintf("%d h %d min left", int(d.Hours()), int(d.Minutes())%60)
	case d >= time.Minute:
		return fmt.Sprintf("%d min left", int(d.Round(time.Minute).Minutes()))
	}
	return fmt.Sprintf("%d s left", int(d.Seconds()))
}
