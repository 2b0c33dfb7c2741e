package activity

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/mem"
	"github.com/shirou/gopsutil/v4/process"
)

// Machine is what the whole machine uses. A number that the system does not tell is 0.
type Machine struct {
	CPUPercent       float64 `json:"cpu_percent" doc:"Of all processors together, 0 to 100."`
	CPUCount         int     `json:"cpu_count" doc:"Processors, as the system counts them."`
	MemoryUsedBytes  uint64  `json:"memory_used_bytes"`
	MemoryTotalBytes uint64  `json:"memory_total_bytes"`
}

// Process is what this process uses.
type Process struct {
	CPUPercent  float64 `json:"cpu_percent" doc:"100 is one processor, so it can be more."`
	MemoryBytes uint64  `json:"memory_bytes" doc:"Resident memory."`
}

// Sample is what was used at one moment; processor time is that of about a second before it.
type Sample struct {
	Machine Machine
	Process Process
	// CPUPercent is that of each process that was asked for, by its id. One that is new
	// since the last sample is not in it.
	CPUPercent map[int]float64
}

const (
	// fresh is how long a sample serves everybody who asks.
	fresh = 900 * time.Millisecond
	// stale is after how long the last reading is no longer what to compare with: then two
	// are taken, glance apart.
	stale  = 10 * time.Second
	glance = 200 * time.Millisecond
)

// Meter measures when it is asked and never else.
type Meter struct {
	mu     sync.Mutex
	last   reading
	sample Sample
}

// reading is processor time in seconds, all of it since some beginning.
type reading struct {
	at          time.Time
	busy, total float64         // the machine's
	processes   map[int]float64 // by process id
}

// Sample measures the machine, this process and the processes with the ids pids.
func (m *Meter) Sample(ctx context.Context, pids []int) Sample {
	m.mu.Lock()
	defer m.mu.Unlock()
	age := time.Since(m.last.at)
	if age < fresh {
		return m.sample
	}
	if age > stale {
		m.last = read(ctx, pids)
		select {
		case <-time.After(glance):
		case <-ctx.Done():
		}
	}
	now := read(ctx, pids)
	m.sample = between(m.last, now)
	m.sample.Machine.CPUCount, _ = cpu.CountsWithContext(ctx, true)
	if memory, err := mem.VirtualMemoryWithContext(ctx); err == nil {
		m.sample.Machine.MemoryUsedBytes, m.sample.Machine.MemoryTotalBytes = memory.Used, memory.Total
	}
	if info, err := (&process.Process{Pid: int32(os.Getpid())}).MemoryInfoWithContext(ctx); err == nil {
		m.sample.Process.MemoryBytes = info.RSS
	}
	m.last = now
	return m.sample
}

// MemoryTotal is the machine's memory in bytes, 0 when the system does not tell.
var MemoryTotal = sync.OnceValue(func() uint64 {
	memory, err := mem.VirtualMemory()
	if err != nil {
		return 0
	}
	return memory.Total
})

func read(ctx context.Context, pids []int) reading {
	r := reading{at: time.Now(), processes: map[int]float64{}}
	if all, err := cpu.TimesWithContext(ctx, false); err == nil && len(all) == 1 {
		t := all[0]
		// Guest time is part of user time already.
		r.total = t.User + t.Nice + t.System + t.Idle + t.Iowait + t.Irq + t.Softirq + t.Steal
		r.busy = r.total - t.Idle - t.Iowait
	}
	for _, pid := range append([]int{os.Getpid()}, pids...) {
		if t, err := (&process.Process{Pid: int32(pid)}).TimesWithContext(ctx); err == nil { // else it has just ended
			r.processes[pid] = t.User + t.System
		}
	}
	return r
}

// between is what was used from one reading to the next.
func between(before, now reading) Sample {
	s := Sample{CPUPercent: make(map[int]float64, len(now.processes))}
	if total := now.total - before.total; total > 0 {
		s.Machine.CPUPercent = min(percent(now.busy-before.busy, total), 100)
	}
	passed := now.at.Sub(before.at).Seconds()
	for pid, seconds := range now.processes {
		if earlier, ok := before.processes[pid]; ok && passed > 0 {
			s.CPUPercent[pid] = percent(seconds-earlier, passed)
		}
	}
	s.Process.CPUPercent = s.CPUPercent[os.Getpid()]
	return s
}

// percent has one decimal; more is noise.
func percent(part, whole float64) float64 {
	return max(0, float64(int64(part/whole*1000+0.5))/10)
}
