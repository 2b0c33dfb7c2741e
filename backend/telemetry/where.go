package telemetry

import "fmt"

// Signal is what one kind of telemetry is sent to.
type Signal struct {
	Name string   // traces, metrics, logs
	To   []string // addresses; none when it is not sent
}

// Where tells where telemetry goes, as Start would have it. No header and no token is in it.
func Where(getenv func(string) string) ([]Signal, error) {
	p, err := readPlan(getenv)
	if err != nil {
		return nil, err
	}
	signals := []Signal{{Name: "traces"}, {Name: "metrics"}, {Name: "logs"}}
	for i, all := range [][]destination{p.traces, p.metrics, p.logs} {
		for _, d := range all {
			signals[i].To = append(signals[i].To, d.url)
		}
	}
	return signals, nil
}

// CheckToken says what is wrong with a write token of Logfire. Its error does not show it.
func CheckToken(token string) error {
	v := &vars{get: func(name string) string {
		if name == "LOGFIRE_TOKEN" {
			return token
		}
		return ""
	}}
	v.logfire()
	for _, fault := range v.faults {
		return fmt.Errorf("this token cannot be used: %w", fault)
	}
	return nil
}
