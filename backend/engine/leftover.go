package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/renameio/v2"
	gopsutil "github.com/shirou/gopsutil/v4/process"
)

// leftoverGrace is how long the end of a child is waited for that an earlier run has left behind.
const leftoverGrace = 5 * time.Second

// A mark is a file that tells of a child while it runs. A child ends when its stdin closes, however the server
// does; one that could not, because it hung or somebody else has that stdin, too, is found by its mark at the next start.
type mark struct {
	PID int `json:"pid"`
	// Started is when the system started the process, in words of its own that do not change with the clock.
	Started string   `json:"started"`
	Args    []string `json:"args"`
}

// mark writes the child's mark into dir; the end of the child removes it. One that cannot be written, on a full disk,
// say, is no reason not to answer.
func (p *process) mark(dir string) error {
	started, err := startOf(p.PID())
	if err != nil { // it has ended
		return nil
	}
	text, err := json.Marshal(mark{PID: p.PID(), Started: started, Args: p.spec.Args})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file := filepath.Join(dir, fmt.Sprintf("%d.json", p.PID()))
	if err := renameio.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return os.Remove(file)
	}
	p.marked = file
	return nil
}

// unmark removes the mark of a child that has ended.
func (p *process) unmark() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	if p.marked == "" {
		return
	}
	if err := os.Remove(p.marked); err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.note("its mark stays: %v", err) // it is looked at and removed at the next start
	}
}

// endLeftovers ends the children of an earlier run whose marks lie in dir. No other server may be at work in the
// data folder.
func endLeftovers(dir string, log *slog.Logger) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || dir == "" {
		return
	}
	for _, file := range files {
		var m mark
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(text, &m)
		}
		switch {
		case err != nil:
			log.Error("the mark of an engine cannot be read", "file", filepath.Base(file), "err", err)
		case m.end():
			log.Warn("ended an engine that an earlier run had left behind", "pid", m.PID)
		}
		if err := os.Remove(file); err != nil {
			log.Error("the mark of an engine stays", "file", filepath.Base(file), "err", err)
		}
	}
}

// end kills the process that m tells of, if it is still that one: the same number, started at the same moment, with
// the same arguments. The handle is taken before that is asked, so that the number cannot become another's meanwhile.
func (m mark) end() bool {
	if m.PID <= 1 || m.PID == os.Getpid() {
		return false
	}
	handle, err := os.FindProcess(m.PID)
	if err != nil {
		return false
	}
	defer handle.Release()
	if !m.runs() {
		return false
	}
	if err := handle.Kill(); err != nil {
		return false
	}
	// Its arguments go first, with its memory, and that takes its time for a large model: until then it is there.
	for end := time.Now().Add(leftoverGrace); m.there() && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	return true
}

// there says whether the process that was started then is there, whatever it runs.
func (m mark) there() bool {
	started, err := startOf(m.PID)
	return err == nil && started == m.Started
}

// runs says whether the process that m tells of is there, and runs what it tells.
func (m mark) runs() bool {
	if !m.there() {
		return false
	}
	command, err := (&gopsutil.Process{Pid: int32(m.PID)}).CmdlineSlice()
	if err != nil || len(command) < 2 || len(command)-1 > len(m.Args) {
		return false
	}
	// Not by what stands before the arguments: a Python may put its own path there. And a shell that has become the
	// program which it was to start has the arguments of that, the last ones of its own.
	return slices.Equal(command[1:], m.Args[len(m.Args)-len(command)+1:])
}
