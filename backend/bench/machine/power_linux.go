package machine

import "context"

func onBattery(context.Context) (bool, error) { return discharging("/sys/class/power_supply") }

var _ = drawsFromBattery // a Mac's, tested everywhere
