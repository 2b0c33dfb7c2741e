package audit

import (
	"encoding/json"
	"fmt"
)

// formatLeft is what the column left_to holds: a list in JSON, nothing for what stayed on this machine.
func formatLeft(left []Departure) string {
	if len(left) == 0 {
		return ""
	}
	b, err := json.Marshal(left)
	if err != nil {
		panic(err) // names and numbers have a JSON form
	}
	return string(b)
}

func parseLeft(text string) (left []Departure, err error) {
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &left); err != nil {
		return nil, fmt.Errorf("column left_to holds no list: %w", err)
	}
	return left, nil
}
