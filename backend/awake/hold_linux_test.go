package awake

import (
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/logind"
	"mlxbar/backend/testkit/secrets"
)

func TestLogindIsAskedWhileAnythingRuns(t *testing.T) {
	bus := secrets.NewBus(t)
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.Address)
	login := logind.Start(t, bus.Address)
	k := keeper(t, Config{Lingers: time.Millisecond})
	for round := 1; round <= 3; round++ {
		k.Begin()
		eventually(t, "a lock", func() bool { return len(login.Held()) == 1 })
		if got, want := login.Held()[0], (logind.Lock{What: "idle", Who: "mlxbar", Why: "A model is answering", Mode: "block"}); got != want {
			t.Errorf("the lock is %+v, want %+v", got, want)
		}
		k.End()
		eventually(t, "its end", func() bool { return len(login.Held()) == 0 })
		if n := login.Given(); n != round {
			t.Errorf("%d locks were taken in %d rounds", n, round)
		}
	}
}

func TestWithoutLogindRequestsGoOnAndItIsSaid(t *testing.T) {
	bus := secrets.NewBus(t)
	for name, address := range map[string]string{"no bus": "unix:path=" + t.TempDir() + "/none", "no logind": bus.Address} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
			log := &testkit.Output{}
			k := keeper(t, Config{Lingers: time.Millisecond, Logger: slog.New(slog.NewTextHandler(log, nil))})
			k.Begin()
			eventually(t, "a word about it", func() bool { return strings.Contains(log.String(), "cannot be kept awake") })
			k.End()
		})
	}
}

func TestARefusalIsSaidAndALaterLockTaken(t *testing.T) {
	bus := secrets.NewBus(t)
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.Address)
	login := logind.Start(t, bus.Address)
	login.Refuse(true)
	log := &testkit.Output{}
	k := keeper(t, Config{Lingers: time.Millisecond, Logger: slog.New(slog.NewTextHandler(log, nil))})
	k.Begin()
	eventually(t, "a word about it", func() bool { return strings.Contains(log.String(), "systemd-logind") })
	k.End()
	login.Refuse(false)
	k.Begin()
	defer k.End()
	eventually(t, "a lock", func() bool { return len(login.Held()) == 1 })
}

// Nothing of it is left open in this process.
func TestALockIsGivenBackWhole(t *testing.T) {
	bus := secrets.NewBus(t)
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.Address)
	login := logind.Start(t, bus.Address)
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	once := func() {
		release, err := hold(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := release(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "its end", func() bool { return len(login.Held()) == 0 })
	}
	once()
	before := open()
	for range 20 {
		once()
	}
	eventually(t, "all to be closed", func() bool { return open() <= before })
}
