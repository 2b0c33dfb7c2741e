// Package machine says what a measurement was taken on, and what on it may have
// disturbed the figures.
package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
	"github.com/shirou/gopsutil/v4/process"
)

// Machine is what figures come from.
type Machine struct {
	OS     string `json:"os"`
	CPU    string `json:"cpu"`
	CPUs   int    `json:"cpus"`
	Memory uint64 `json:"memory_bytes"`
	Go     string `json:"go"`
	// Load is the system's load average over a minute before the run. A measurement that has
	// just ended is in it as well as others' work: what others do, Warnings tells.
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
	// Others gives the share of all the CPUs, 0 to 1, that is not this process's and not idle.
	Others(ctx context.Context) (float64, error)
	// OnBattery says whether the machine runs on its battery.
	OnBattery(ctx context.Context) (bool, error)
}

// look is how long the CPUs are watched: the system counts in hundredths of a second.
const look = time.Second

// Local is the Probe of this machine.
type Local struct{}

// Others watches the CPUs for a moment.
func (Local) Others(ctx context.Context) (float64, error) {
	self, err := process.NewProcessWithContext(ctx, int32(os.Getpid()))
	if err != nil {
		return 0, fmt.Errorf("watch the CPUs: %w", err)
	}
	before, err := usageOf(ctx, self)
	if err != nil {
		return 0, err
	}
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(look):
	}
	after, err := usageOf(ctx, self)
	if err != nil {
		return 0, err
	}
	return after.others(before), nil
}

// usage is what the CPUs have done since the machine started, in seconds.
type usage struct{ all, idle, own float64 }

func usageOf(ctx context.Context, self *process.Process) (usage, error) {
	cpus, err := cpu.TimesWithContext(ctx, false)
	if err != nil {
		return usage{}, fmt.Errorf("watch the CPUs: %w", err)
	}
	if len(cpus) == 0 {
		return usage{}, errors.New("watch the CPUs: the system tells of none")
	}
	own, err := self.TimesWithContext(ctx)
	if err != nil {
		return usage{}, fmt.Errorf("this process's time: %w", err)
	}
	t := cpus[0]
	// A guest's time is in User already. What the host of a virtual machine took from it is others' work as well.
	return usage{all: t.User + t.System + t.Nice + t.Irq + t.Softirq + t.Steal + t.Idle + t.Iowait,
		idle: t.Idle + t.Iowait, own: own.User + own.System}, nil
}

// others is the share of the CPUs' time since before that somebody else had.
func (u usage) others(before usage) float64 {
	all := u.all - before.all
	if all <= 0 {
		return 0
	}
	return min(1, max(0, (all-(u.idle-before.idle)-(u.own-before.own))/all))
}

// OnBattery asks the system.
func (Local) OnBattery(ctx context.Context) (bool, error) { return onBattery(ctx) }

// busy is the share of the CPUs above which others disturb a measurement. The load average is no such sign: for
// minutes it holds what ran before, the last measurement itself too.
const busy = 0.25

// Warnings are sentences on what may disturb a measurement that is about to begin; none
// about what the system does not tell.
func Warnings(ctx context.Context, p Probe) (warnings []string) {
	if others, err := p.Others(ctx); err == nil && others > busy {
		warnings = append(warnings, fmt.Sprintf("other programs used %.0f %% of the CPUs just before: their part is in these figures", 100*others))
	}
	if battery, err := p.OnBattery(ctx); err == nil && battery {
		warnings = append(warnings, "the machine runs on its battery, which may slow it down: plug it in and measure again")
	}
	return warnings
}
