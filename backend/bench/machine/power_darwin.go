package machine

import (
	"context"
	"fmt"
	"os/exec"
)

func onBattery(ctx context.Context) (bool, error) {
	said, err := exec.CommandContext(ctx, "/usr/bin/pmset", "-g", "batt").Output()
	if err != nil {
		return false, fmt.Errorf("pmset: %w", err)
	}
	return drawsFromBattery(string(said)), nil
}

var _ = discharging // Linux', tested everywhere
