package server

import (
	"testing"

	"mlxbar/backend/engine"
)

func TestMemoryIsGivenBackWhenTheLastEngineHasGone(t *testing.T) {
	given := 0
	after := aftermath{giveBack: func() { given++ }}
	for i, c := range []struct {
		states []engine.State
		given  int
	}{
		{nil, 0},
		{[]engine.State{engine.Loading}, 0},
		{[]engine.State{engine.Ready, engine.Loading}, 0},
		{[]engine.State{engine.Ready, engine.Idle}, 0},
		{[]engine.State{engine.Idle, engine.Idle}, 1},
		{[]engine.State{engine.Idle, engine.Idle}, 1},
		{[]engine.State{engine.Installing}, 1},
		{[]engine.State{engine.Failed}, 2},
	} {
		var engines []engine.Status
		for _, state := range c.states {
			engines = append(engines, engine.Status{State: state})
		}
		if after.see(engines); given != c.given {
			t.Errorf("step %d, %v: given back %d times, want %d", i, c.states, given, c.given)
		}
	}
}
