package main

import (
	"slices"
	"testing"
	"time"

	"mlxbar/backend/bench"
)

func madeUpEngines() *enginesRun {
	r := &enginesRun{
		Crowds: []*crowdRun{{Engine: "llama.cpp", Clients: 4, Alone: []crowd{{Tokens: 400, Seconds: 4, FirstMS: []float64{90, 110}}},
			Gateway: []crowd{{Tokens: 400, Seconds: 4.04, FirstMS: []float64{92, 112}}}}},
		Beside:   &besideRun{QuietMS: []float64{9, 10, 11}, DuringMS: []float64{12, 40}, LoadMS: []float64{900}},
		Switch:   &switchRun{TookMS: []float64{1200, 1300}, UnloadMS: []float64{40, 50}},
		Turnover: &turnoverRun{},
	}
	for range 80 {
		r.Turnover.Loaded = append(r.Turnover.Loaded, held{ServerBytes: 41 * mib, EnginesBytes: 870 * mib, Engines: 1, Files: 27})
		r.Turnover.Empty = append(r.Turnover.Empty, held{ServerBytes: 41 * mib, Files: 23})
	}
	r.judge()
	return r
}

func TestEnginesThatKeepToTheAimsMeetThem(t *testing.T) {
	r := madeUpEngines()
	if len(r.Targets) != 5 || r.failure() != nil {
		t.Fatalf("%d targets, %v", len(r.Targets), r.failure())
	}
	for _, g := range r.Targets {
		if !g.OK {
			t.Errorf("%s: %s", g.Name, g.Measured)
		}
	}
}

func TestEachAimOfTheEnginesCanBeMissed(t *testing.T) {
	for name, change := range map[string]func(*enginesRun){
		"tokens/s of llama.cpp alone, 4 at once":  func(r *enginesRun) { r.Crowds[0].Gateway[0].Seconds = 4.1 },
		"longest pause of a stream beside a load": func(r *enginesRun) { r.Beside.DuringMS = append(r.Beside.DuringMS, 1001) },
		"processes left after an unload":          func(r *enginesRun) { r.Turnover.Empty[79].Engines = 1 },
		"memory grown in 80 loads": func(r *enginesRun) {
			for i := range r.Turnover.Empty {
				r.Turnover.Empty[i].ServerBytes += uint64(i) * 200_000
			}
		},
		"open files grown meanwhile": func(r *enginesRun) {
			for i := range 30 {
				r.Turnover.Empty[50+i].Files++
			}
		},
	} {
		r := madeUpEngines()
		r.Targets = nil
		change(r)
		r.judge()
		for _, g := range r.Targets {
			if g.OK == (g.Name == name) {
				t.Errorf("%s: %s is %v", name, g.Name, g.OK)
			}
		}
	}
}

func TestGapsArePartedByTheLoad(t *testing.T) {
	const unit = time.Millisecond
	a := bench.Answer{First: 100 * unit, Gaps: []time.Duration{10 * unit, 20 * unit, 30 * unit, 40 * unit, 50 * unit}}
	before, within := split(a, 115*unit, 200*unit) // events at 110, 130, 160, 200 and 250
	if !slices.Equal(before, []float64{10}) || !slices.Equal(within, []float64{20, 30, 40}) {
		t.Errorf("before %v, within %v", before, within)
	}
}
