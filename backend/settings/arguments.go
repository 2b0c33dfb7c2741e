package settings

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// argument is one that a person may give llama-server: followed by one of values, by a whole number, or by nothing.
type argument struct {
	values          []string
	lowest, highest int
	draft           bool // it says something of the draft model
}

var cacheTypes = []string{"f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"}

// arguments is all that may be given. What decides where the server listens, who may ask it, which files it reads
// and writes and what its log says is mlxbar's, and so is what has a setting of its own. serve.py of the engine knows the same.
var arguments = map[string]argument{
	"--cache-reuse":      {highest: 1 << 20},
	"--cache-type-k":     {values: cacheTypes},
	"--cache-type-v":     {values: cacheTypes},
	"--flash-attn":       {values: []string{"on", "off", "auto"}},
	"--gpu-layers":       {highest: 1000},
	"--load-mode":        {values: []string{"auto", "none", "mmap", "mlock"}},
	"--spec-draft-n-max": {lowest: 1, highest: 64, draft: true},
	"--spec-draft-n-min": {highest: 64, draft: true},
	"--swa-full":         {},
	"--threads":          {lowest: 1, highest: 512},
}

func (a argument) takesValue() bool { return a.values != nil || a.highest > 0 }

// want says which values are right.
func (a argument) want() string {
	if a.values == nil {
		return fmt.Sprintf("a whole number from %d to %d", a.lowest, a.highest)
	}
	last := len(a.values) - 1
	return strings.Join(a.values[:last], ", ") + " or " + a.values[last]
}

func (a argument) takes(value string) bool {
	if a.values != nil {
		return slices.Contains(a.values, value)
	}
	n, err := strconv.Atoi(value)
	return err == nil && n >= a.lowest && n <= a.highest
}

// Argument is the value that s gives a further argument; ok is false when it is not among them.
func (s ModelSettings) Argument(name string) (value string, ok bool) {
	at := slices.Index(s.Arguments, name)
	if at < 0 {
		return "", false
	}
	if !arguments[name].takesValue() {
		return "", true
	}
	return s.Arguments[at+1], true
}

// models checks what is set for single models.
func (c *checker) models(each []ModelSettings) {
	for i, m := range each {
		at := fmt.Sprintf("models.each[%d]", i)
		if first := slices.IndexFunc(each, func(o ModelSettings) bool { return strings.EqualFold(o.Name, m.Name) }); first < i && m.Name != "" {
			c.fault(at+".name", m.Name, "is set by models.each[%d] already", first)
		}
		if m.Draft != "" && strings.EqualFold(m.Draft, m.Name) {
			c.fault(at+".draft", m.Draft, "must be another model")
		}
		c.arguments(at+".arguments", m)
	}
}

func (c *checker) arguments(at string, m ModelSettings) {
	if slices.ContainsFunc(m.Arguments, func(text string) bool { _, _, bad := broken("argument", text); return bad }) {
		return // which is a fault already
	}
	for i := 0; i < len(m.Arguments); i++ {
		here, name := fmt.Sprintf("%s[%d]", at, i), m.Arguments[i]
		a, known := arguments[name]
		switch {
		case !known:
			c.fault(here, name, "must be one of %s", strings.Join(sortedKeys(arguments), ", "))
			if i+1 < len(m.Arguments) && !strings.HasPrefix(m.Arguments[i+1], "-") {
				i++ // its value, of which nothing is known either
			}
			continue
		case slices.Index(m.Arguments, name) < i:
			c.fault(here, name, "stands there twice")
		case a.draft && m.Draft == "":
			c.fault(here, name, "needs draft, the model that guesses ahead")
		}
		if !a.takesValue() {
			continue
		}
		if i++; i == len(m.Arguments) {
			c.fault(here, name, "must be followed by %s", a.want())
		} else if !a.takes(m.Arguments[i]) {
			c.fault(fmt.Sprintf("%s[%d]", at, i), m.Arguments[i], "must be %s", a.want())
		}
	}
}
