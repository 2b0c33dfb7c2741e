package main

import (
	"context"
	"fmt"
	"image/color"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/load"

	"mlxbar/backend/testkit"
)

// look is the time between two looks at the screen.
const look = 2 * time.Millisecond

// Where the window opens: in the middle of the screen.
const left, top = (1280 - 1080) / 2, (800 - 720) / 2

// Tokens of the pages, and a screen without a window.
var (
	off   = color.RGBA{0xcf, 0xcd, 0xc9, 0xff} // the dot of a server that does not run
	black = color.RGBA{0, 0, 0, 0xff}
)

// BenchmarkFirstPaint is the time from the start of the window's process until its page is first seen on the screen, and until the
// page itself runs there and shows how the server fares. The first start of each kind brings the programs into the
// system's memory and is not counted. `make bench-window` runs it.
func BenchmarkFirstPaint(b *testing.B) {
	b.Setenv("MLXBAR_BIN", filepath.Join(testkit.Root(b), "build", "bin"))
	for _, c := range []struct {
		server string
		ready  func(n *native)
		dot    color.RGBA // as the page shows that state
	}{
		{"ready", func(n *native) {
			if _, err := n.host.Start(n.t.Context()); err != nil {
				n.t.Fatal(err)
			}
		}, ok},
		{"stopped", func(n *native) {
			if err := n.host.Stop(n.t.Context()); err != nil {
				n.t.Fatal(err)
			}
		}, off},
		{"starting", func(n *native) { // by the window itself
			n.end("mlxbar-tray") // which would start it
			if err := n.host.Drain(n.t.Context()); err != nil {
				n.t.Fatal(err)
			}
		}, ok},
	} {
		b.Run("server "+c.server, func(b *testing.B) {
			n := newNative(b)
			b.Cleanup(func() { // this process started a server, too, which the session knows nothing of
				if err := n.host.Drain(context.WithoutCancel(b.Context())); err != nil {
					b.Error(err)
				}
			})
			var painted, running []time.Duration
			c.ready(n)
			n.paint(c.dot)
			for b.Loop() {
				c.ready(n)
				first, runs := n.paint(c.dot)
				painted, running = append(painted, first), append(running, runs)
			}
			b.ReportMetric(0, "ns/op") // with the window's end, which is of no interest
			report(b, "page", painted)
			report(b, "running", running)
			if now, err := load.Avg(); err == nil {
				b.ReportMetric(now.Load1, "load")
			}
		})
	}
}

// report gives the least, the median and the most of what was measured.
func report(b *testing.B, what string, times []time.Duration) {
	slices.Sort(times)
	for name, t := range map[string]time.Duration{"min": times[0], "median": times[len(times)/2], "max": times[len(times)-1]} {
		b.ReportMetric(float64(t.Microseconds())/1000, fmt.Sprintf("ms-%s-%s", what, name))
	}
}

// paint opens the window and closes it again. It gives the times until its page was seen and until the page had the dot.
func (n *native) paint(dot color.RGBA) (first, runs time.Duration) {
	n.t.Helper()
	screen := n.Screen()
	at := func(x, y int) color.RGBA { return screen.At(left+x, top+y) }
	if at(10, 400) != black {
		n.t.Fatal("there is a window on the screen already")
	}
	app := n.Command(filepath.Join(n.bin, "mlxbar-app"), "--data-dir", n.host.Paths.Root)
	start := time.Now()
	if err := app.Start(); err != nil {
		n.t.Fatal(err)
	}
	seen := func(what string, x, y int, want color.RGBA) time.Duration {
		for !near(at(x, y), want) {
			if time.Since(start) > time.Minute {
				n.t.Fatalf("%s is not seen: there is %v instead of %v", what, at(x, y), want)
			}
			time.Sleep(look)
		}
		return time.Since(start)
	}
	first = seen("the page", 10, 400, side)
	runs = seen("the state of the server", 20, 25, dot)
	if err := n.Quit(n.window("^mlxbar$")); err != nil {
		n.t.Fatal(err)
	}
	if err := app.Wait(); err != nil {
		n.t.Fatal(err)
	}
	n.Eventually("the end of the window", func() bool {
		return at(10, 400) == black && len(n.Programs("WebKitWebProcess")) == 0
	})
	return first, runs
}
