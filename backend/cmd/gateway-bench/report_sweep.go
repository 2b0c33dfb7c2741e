package main

import (
	"errors"
	"fmt"
	"io"

	"mlxbar/backend/bench"
)

func (g *growth) failure() error {
	if len(g.Concurrency) == 0 || len(g.StreamLength) == 0 || len(g.AuditSize) == 0 || len(g.Models) == 0 {
		return errors.New("an axis was not measured")
	}
	return nil
}

func (g *growth) print(w io.Writer) {
	growthTable(w, "Connections", g.Concurrency, []string{"json", "sse"})
	growthTable(w, "Events of a stream", g.StreamLength, []string{"sse"})
	for _, name := range []string{wayGateway, wayProxy} {
		event, whole := line(g.StreamLength, name)
		fmt.Fprintf(w, "  %s: %.2f us for each event and %.0f us for the rest of a request\n", name, event, whole)
	}
	growthTable(w, "Records in the audit", g.AuditSize, []string{"json"})
	growthTable(w, "Models and routes", g.Models, []string{"json"})
	fmt.Fprintf(w, "\n%-22s %10s %10s %10s\n", "GET /v1/models", "CPU, us", "median, ms", "kB")
	for _, p := range g.Models {
		var cpu, took []float64
		bytes := 0
		for _, l := range p.Lists {
			cpu = append(cpu, l.CPUSeconds*1e6/float64(l.Requests))
			took = append(took, l.TookMS...)
			bytes = l.Bytes
		}
		fmt.Fprintf(w, "  %-20s %10.0f %10.3f %10.1f\n", thousands(p.Value), bench.Median(cpu), bench.Median(took), float64(bytes)/1000)
	}
}

func growthTable(w io.Writer, title string, points []*point, shapes []string) {
	fmt.Fprintf(w, "\n%-22s %10s %10s %10s %10s %10s\n", title, "CPU, us", "proxy's", "median, ms", "p99, ms", "requests/s")
	for _, shape := range shapes {
		for _, p := range points {
			if p.Shape != shape || p.Way != wayGateway {
				continue
			}
			theirs := "-"
			if other := find(points, p.Value, shape, wayProxy); other != nil {
				theirs = fmt.Sprintf("%.0f", median(other.Bouts, bout.cpuUS))
			}
			fmt.Fprintf(w, "  %-4s %15s %10.0f %10s %10.3f %10.2f %10.0f\n", shapeNames[shape], thousands(p.Value), median(p.Bouts, bout.cpuUS), theirs,
				median(p.Bouts, bout.p50MS), median(p.Bouts, bout.p99MS), median(p.Bouts, perSecond))
		}
	}
}

func find(points []*point, value int, shape, way string) *point {
	for _, p := range points {
		if p.Value == value && p.Shape == shape && p.Way == way {
			return p
		}
	}
	return nil
}

// line fits cost = rest + slope × value to a way's points by least squares of the relative
// errors, so that the longest does not decide alone.
func line(points []*point, way string) (slope, rest float64) {
	var w, wx, wy, wxx, wxy float64
	for _, p := range points {
		if p.Way != way {
			continue
		}
		x, y := float64(p.Value), median(p.Bouts, bout.cpuUS)
		weight := 1 / (y * y)
		w, wx, wy, wxx, wxy = w+weight, wx+weight*x, wy+weight*y, wxx+weight*x*x, wxy+weight*x*y
	}
	slope = (w*wxy - wx*wy) / (w*wxx - wx*wx)
	return slope, (wy - slope*wx) / w
}
