// Package machine says what a measurement was taken on, and what on it may have
// disturbed the figures.
package machine

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
)

// Machine is what figures come from.
type Machine struct {
	OS     string `json:"os"`
	CPU    string `json:"cpu"`
	CPUs   int    `json:"cpus"`
	Memory uint64 `json:"memory_bytes"`
	Go     string `json:"go"`
	// Load is the system's load average over a minute before the run: more than
	// a little means that others were at work, and that the figures are worth less.
	Load float64 `json:"load_before"`
}

// Describe looks at this machine; what the system does not tell stays unknown.
func Describe(ctx context.Context) Machine {
	m := Machine{OS: runtime.GOOS + "/" + runtime.GOARCH, CPU: "unknown CPU", CPUs: runtime.NumCPU(), Go: runtime.Version()}
	if info, err := cpu.InfoWithContext(ctx); err == nil && len(info) > 0 && info[0].ModelName != "" {
		m.CPU = info[0].ModelName
	}
	if platform, _, version, err := host.PlatformInformationWithContext(ctx); err == nil && platform != "" {
		m.OS = platform + " " + version + " " + m.OS
	}
	if memory, err := mem.VirtualMemoryWithContext(ctx); err == nil {
		m.Memory = memory.Total
	}
	if average, err := load.AvgWithContext(ctx); err == nil {
		m.Load = average.Load1
	}
	return m
}

// A Probe looks at what may disturb a measurement.
type Probe interface {
	// Busy gives the share of the CPUs that is in use, 0 to 1, and the load average over a minute.
	Busy(ctx context.Context) (cpus, load float64, err error)
	// OnBattery says whether the machine runs on its battery.
	OnBattery(ctx context.Context) (bool, error)
}

// look is how long the CPUs are watched.
const look = 300 * time.Millisecond

// Local is the Probe of this machine.
type Local struct{}

// Busy watches the CPUs for a moment.
func (Local) Busy(ctx context.Context) (cpus, average float64, err error) {
	percent, err := cpu.PercentWithContext(ctx, look, false)
	if err != nil {
		return 0, 0, fmt.Errorf("watch the CPUs: %w", err)
	}
	avg, err := load.AvgWithContext(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("load average: %w", err)
	}
	return percent[0] / 100, avg.Load1, nil
}

// OnBattery asks the system.
func (Local) OnBattery(ctx context.Context) (bool, error) { return onBattery(ctx) }

// Above these a machine counts as busy: so much of it is not the measurement's.
const (
	busyCPUs = 0.25
	busyLoad = 0.5 // for each CPU
)

// Warnings are sentences on what may disturb a measurement that is about to begin; none
// about what the system does not tell.
func Warnings(ctx context.Context, p Probe, cpus int) (warnings []string) {
	if used, average, err := p.Busy(ctx); err == nil && (used > busyCPUs || average > busyLoad*float64(cpus)) {
		warnings = append(warnings, fmt.Sprintf("the machine is busy (%.0f %% of its CPUs in use, load average %.1f on %d): others' work is in these figures",
			100*used, average, cpus))
	}
	if battery, err := p.OnBattery(ctx); err == nil && battery {
		warnings = append(warnings, "the machine runs on its battery, which may slow it down: plug it in and measure again")
	}
	return warnings
}
