package telemetry_test

import (
	"bytes"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"mlxbar/backend/keychain"
	"mlxbar/backend/telemetry"
	"mlxbar/backend/testkit/secrets"
)

// unset takes a variable out of the environment until the test ends.
func unset(t *testing.T, name string) {
	t.Setenv(name, "")
	os.Unsetenv(name)
}

func TestTheTokenComesOutOfTheKeychain(t *testing.T) {
	const kept, set = "pylf_v1_eu_keptInTheKeychain", "pylf_v1_eu_setInTheEnvironment"
	for name, c := range map[string]struct {
		prepare    func(*testing.T, *secrets.Bus)
		want, says string // the token that is sent, "" when nothing is; what the log says of it
	}{
		"kept":                     {func(t *testing.T, _ *secrets.Bus) { unset(t, "LOGFIRE_TOKEN") }, kept, ""},
		"the environment's counts": {func(t *testing.T, _ *secrets.Bus) { t.Setenv("LOGFIRE_TOKEN", set) }, set, ""},
		"set to nothing":           {func(t *testing.T, _ *secrets.Bus) { t.Setenv("LOGFIRE_TOKEN", "") }, "", ""},
		"locked": {func(t *testing.T, b *secrets.Bus) {
			unset(t, "LOGFIRE_TOKEN")
			b.Lock()
		}, "", "level=WARN msg=\"the keychain was not read"},
		"silent": {func(t *testing.T, b *secrets.Bus) {
			unset(t, "LOGFIRE_TOKEN")
			b.Freeze()
		}, "", "level=WARN msg=\"the keychain was not read"},
		"another bus, without a keychain": {func(t *testing.T, _ *secrets.Bus) {
			unset(t, "LOGFIRE_TOKEN")
			secrets.NewBus(t)
		}, "", "level=DEBUG msg=\"no token for Logfire\""},
	} {
		t.Run(name, func(t *testing.T) {
			bus, to := secrets.New(t), newCollector(t)
			if err := keychain.Set(t.Context(), keychain.LogfireToken, kept); err != nil {
				t.Fatal(err)
			}
			t.Setenv("LOGFIRE_BASE_URL", to.URL())
			c.prepare(t, bus)
			var log bytes.Buffer
			tel, err := telemetry.Start(t.Context(), telemetry.Config{Service: "mlxbar-test", Version: "1.2.3",
				Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
			if err != nil {
				t.Fatal(err)
			}
			if tracer := tel.Tracer(); tracer != nil {
				_, span := tracer.Start(t.Context(), "some work")
				span.End()
			}
			if err := tel.Close(); err != nil {
				t.Error(err)
			}
			got := ""
			for _, h := range to.Headers() {
				got = h.Get("Authorization")
			}
			if got != c.want || len(to.Spans("some work")) > 0 != (c.want != "") {
				t.Errorf("sent with %q, want %q", got, c.want)
			}
			if !strings.Contains(log.String(), c.says) || c.says == "" && log.Len() > 0 || strings.Count(log.String(), "\n") > 1 || strings.Contains(log.String(), "pylf") {
				t.Errorf("the log says %s", &log)
			}
		})
	}
}

// A collector that takes a connection and says nothing keeps no program from ending.
func TestCloseWaitsForNoCollector(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	tel, err := telemetry.Start(t.Context(), telemetry.Config{Getenv: environment("OTEL_EXPORTER_OTLP_ENDPOINT=http://" + listener.Addr().String())})
	if err != nil {
		t.Fatal(err)
	}
	_, span := tel.Tracer().Start(t.Context(), "some work")
	span.End()
	slog.New(tel.Handler(slog.DiscardHandler)).Info("some line")
	ended := make(chan error, 1)
	go func() { ended <- tel.Close() }()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("nothing was taken, and Close says that it was")
		}
	case <-time.After(patience): // as long as a retry would take
		t.Fatal("it does not end")
	}
}
