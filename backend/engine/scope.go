package engine

import "mlxbar/backend/models"

// Scope is what the server of an engine does, and what it would pass over without a
// word. The zero value is all: it answers every endpoint.
type Scope struct {
	Endpoints           []string // the paths that it answers; nil is all
	TextOnly            bool     // it takes no pictures, sound or files
	Freely              bool     // it holds an answer to no schema, grammar or choice of tool, and gives one
	Fetches             bool     // it would get a picture that a request names by its address, so it is given none such
	TellsUsageWhenAsked bool     // of a stream, as OpenAI's API does
}

// Scoped is an Engine that says so.
type Scoped interface{ Scope() Scope }

// Runner names the engine that runs model, or would, and tells its scope; "" where none does.
func (p *Pool) Runner(model string) (string, Scope) {
	name := models.CleanName(model)
	p.mu.Lock()
	s, ok := p.slots[name]
	var by Engine
	if ok {
		by = s.engine
	}
	p.mu.Unlock()
	if !ok { // nobody has asked for it yet
		format, err := p.format(name)
		if err != nil {
			return "", Scope{}
		}
		if by, ok = p.cfg.Engines[format]; !ok {
			return "", Scope{}
		}
	}
	if scoped, ok := by.(Scoped); ok {
		return by.Name(), scoped.Scope()
	}
	return by.Name(), Scope{}
}
