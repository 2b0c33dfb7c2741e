package machine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shirou/gopsutil/v4/process"
)

func TestDescribe(t *testing.T) {
	m := Describe(t.Context())
	if m.OS == "" || m.CPU == "" || m.CPUs < 1 || m.Memory == 0 || !strings.HasPrefix(m.Go, "go") || m.Load < 0 {
		t.Errorf("%+v", m)
	}
}

func TestThisMachineCanBeLookedAt(t *testing.T) {
	others, err := Local{}.Others(t.Context())
	if err != nil || others < 0 || others > 1 {
		t.Errorf("others %v, %v", others, err)
	}
	if _, err := (Local{}).OnBattery(t.Context()); err != nil {
		t.Error(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := (Local{}).Others(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: %v", err)
	}
}

func TestWhatIsOthersWork(t *testing.T) {
	before := usage{all: 1000, idle: 900, own: 5}
	for _, c := range []struct {
		name  string
		after usage
		want  float64
	}{
		{"all idle", usage{all: 1002, idle: 902, own: 5}, 0},
		{"one of two CPUs", usage{all: 1002, idle: 901, own: 5}, 0.5},
		{"one of two CPUs, and it is this process", usage{all: 1002, idle: 901, own: 6}, 0},
		{"one each", usage{all: 1002, idle: 900, own: 6}, 0.5},
		{"counted a little apart", usage{all: 1002, idle: 901.99, own: 5.02}, 0},
		{"no time has passed", before, 0},
	} {
		if got := c.after.others(before); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// What ran before is no matter, and what this process does itself is not others' work; another program's work is.
func TestOthersWorkIsSeenAndOnesOwnIsNot(t *testing.T) {
	self, err := process.NewProcess(int32(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	before, err := usageOf(t.Context(), self)
	if err != nil {
		t.Fatal(err)
	}
	for spent := before.own; spent < before.own+0.2; { // real work, by this process's own clock
		now, err := usageOf(t.Context(), self)
		if err != nil {
			t.Fatal(err)
		}
		spent = now.own
	}
	after, err := usageOf(t.Context(), self)
	if err != nil {
		t.Fatal(err)
	}
	unowned := after
	unowned.own = before.own
	if mine, all := after.others(before), unowned.others(before); mine >= all {
		t.Errorf("others' work is %v of the CPUs with this process's own and %v without", all, mine)
	}
}

type probe struct {
	others  float64
	battery bool
	err     error
}

func (p probe) Others(context.Context) (float64, error) { return p.others, p.err }
func (p probe) OnBattery(context.Context) (bool, error) { return p.battery, p.err }

func TestWarnings(t *testing.T) {
	for _, c := range []struct {
		name  string
		probe probe
		want  []string
	}{
		{"a quiet machine", probe{others: 0.05}, nil},
		{"busy CPUs", probe{others: 0.5}, []string{"other programs used 50 % of the CPUs"}},
		{"a battery", probe{battery: true}, []string{"battery"}},
		{"both", probe{others: 1, battery: true}, []string{"100 %", "battery"}},
		{"a system that tells nothing", probe{others: 1, battery: true, err: errors.New("no")}, nil},
	} {
		got := Warnings(t.Context(), c.probe)
		if len(got) != len(c.want) {
			t.Errorf("%s: %q, want %d", c.name, got, len(c.want))
			continue
		}
		for i, want := range c.want {
			if !strings.Contains(got[i], want) {
				t.Errorf("%s: %q does not say %q", c.name, got[i], want)
			}
		}
	}
}

func TestBatteriesOnLinux(t *testing.T) {
	for _, c := range []struct {
		name     string
		supplies map[string]map[string]string
		want     bool
	}{
		{"a desktop", map[string]map[string]string{}, false},
		{"plugged in", map[string]map[string]string{"AC": {"type": "Mains", "online": "1"}, "BAT0": {"type": "Battery", "status": "Charging"}}, false},
		{"full", map[string]map[string]string{"BAT0": {"type": "Battery", "status": "Full"}}, false},
		{"on its battery", map[string]map[string]string{"AC": {"type": "Mains", "online": "0"}, "BAT0": {"type": "Battery", "status": "Discharging"}}, true},
		{"with a mouse", map[string]map[string]string{"mouse": {"type": "Battery", "scope": "Device", "status": "Discharging"}}, false},
	} {
		dir := t.TempDir()
		for name, files := range c.supplies {
			if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
				t.Fatal(err)
			}
			for file, text := range files {
				if err := os.WriteFile(filepath.Join(dir, name, file), []byte(text+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got, err := discharging(dir); got != c.want || err != nil {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
	if got, err := discharging(filepath.Join(t.TempDir(), "none")); got || err != nil {
		t.Errorf("no such folder: %v, %v", got, err)
	}
}

func TestBatteriesOnAMac(t *testing.T) {
	for said, want := range map[string]bool{
		"Now drawing from 'Battery Power'\n -InternalBattery-0 (id=4653155)\t87%; discharging; 5:12 remaining present: true\n": true,
		"Now drawing from 'AC Power'\n -InternalBattery-0 (id=4653155)\t100%; charged; 0:00 remaining present: true\n":         false,
		"Now drawing from 'AC Power'\n": false,
		"":                              false,
	} {
		if got := drawsFromBattery(said); got != want {
			t.Errorf("%q: %v", said, got)
		}
	}
}
