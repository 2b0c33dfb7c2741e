package machine

import (
	"os"
	"path/filepath"
	"strings"
)

// discharging reads a folder like Linux' /sys/class/power_supply. A machine without a battery has
// none to run on, and one whose peripherals have batteries (scope Device) does not run on those.
func discharging(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		says := func(name string) string {
			raw, _ := os.ReadFile(filepath.Join(dir, e.Name(), name)) // not there: says nothing
			return strings.TrimSpace(string(raw))
		}
		if says("type") == "Battery" && says("scope") != "Device" && says("status") == "Discharging" {
			return true, nil
		}
	}
	return false, nil
}

// drawsFromBattery reads what macOS' `pmset -g batt` says.
func drawsFromBattery(said string) bool { return strings.Contains(said, "'Battery Power'") }
