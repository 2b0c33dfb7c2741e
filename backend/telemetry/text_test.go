package telemetry_test

import (
	"errors"
	"log/slog"
	"testing"

	"mlxbar/backend/telemetry"
)

// One byte that is no text must not have all that is sent with it refused.
func TestALineThatIsNoTextIsSentAllTheSame(t *testing.T) {
	col := newCollector(t)
	tel := begin(t, telemetry.Config{Getenv: environment("OTEL_EXPORTER_OTLP_ENDPOINT=" + col.URL())})
	slog.New(tel.Handler(slog.DiscardHandler)).Info("one \xff", "cause", errors.New("a\xffb"), slog.Group("g", "path", "/\xfe"), "n", 1)
	eventually(t, "the line", func() bool { return len(col.Lines()) == 1 })
	if l := col.Lines()[0]; l.Body != "one \uFFFD" || l.Attributes["exception.message"] != "a\uFFFDb" || l.Attributes["n"] != "1" {
		t.Errorf("the line is %+v", l)
	}
}
