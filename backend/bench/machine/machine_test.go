package machine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDescribe(t *testing.T) {
	m := Describe(t.Context())
	if m.OS == "" || m.CPU == "" || m.CPUs < 1 || m.Memory == 0 || !strings.HasPrefix(m.Go, "go") || m.Load < 0 {
		t.Errorf("%+v", m)
	}
}

func TestThisMachineCanBeLookedAt(t *testing.T) {
	cpus, load, err := Local{}.Busy(t.Context())
	if err != nil || cpus < 0 || cpus > 1 || load < 0 {
		t.Errorf("busy %v, %v, %v", cpus, load, err)
	}
	if _, err := (Local{}).OnBattery(t.Context()); err != nil {
		t.Error(err)
	}
}

type probe struct {
	cpus, load float64
	battery    bool
	err        error
}

func (p probe) Busy(context.Context) (float64, float64, error) { return p.cpus, p.load, p.err }
func (p probe) OnBattery(context.Context) (bool, error)        { return p.battery, p.err }

func TestWarnings(t *testing.T) {
	for _, c := range []struct {
		name  string
		probe probe
		want  []string
	}{
		{"a quiet machine", probe{cpus: 0.05, load: 0.3}, nil},
		{"busy CPUs", probe{cpus: 0.5, load: 0.3}, []string{"50 % of its CPUs"}},
		{"a high load", probe{cpus: 0, load: 2.1}, []string{"load average 2.1 on 4"}},
		{"a battery", probe{battery: true}, []string{"battery"}},
		{"both", probe{cpus: 1, battery: true}, []string{"100 %", "battery"}},
		{"a system that tells nothing", probe{cpus: 1, battery: true, err: errors.New("no")}, nil},
	} {
		got := Warnings(t.Context(), c.probe, 4)
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
