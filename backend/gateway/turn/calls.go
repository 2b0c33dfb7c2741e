package turn

import (
	"fmt"
	"strings"

	"mlxbar/backend/gateway/wire"
)

// Calls follows the tool calls of one answer that is passed on as it came: their ids must differ, and the arguments of
// a call that is whole must be an object. Whoever reads a protocol tells it the parts in the order in which they come, and
// an end; once one of them says no, Wrong says what is wrong, in words that quote nothing.
type Calls struct {
	Limit int64 // how many bytes of them are kept at most
	Wrong string
	kept  int64
	calls []call
}

type call struct {
	choice, index int64
	id            string
	free, judged  bool
	said          []byte // the arguments as far as they came, as they stand between the quotes of a JSON string
}

// A Part is what one event, or a whole answer, says of one call.
type Part struct {
	Choice    int64
	Index     int64 // among the choice's calls, as the upstream numbers them
	Indexed   bool  // it does
	ID        string
	Named     bool   // the part names the tool
	New       bool   // it is the beginning of a call, whatever its index and id
	Free      bool   // the tool takes text, or the call says of itself that it is not whole
	Arguments string // more of them, as they stand between the quotes of a JSON string
	Whole     bool   // these are all of them
}

const (
	sameID   = "called two tools under one id"
	noObject = "called a tool with arguments that are no JSON object"
	// A call without a word takes memory too.
	perCall = 64
)

// Any says whether a call waits for its end.
func (c *Calls) Any() bool {
	for i := range c.calls {
		if !c.calls[i].judged {
			return true
		}
	}
	return false
}

// Take takes a part.
func (c *Calls) Take(p Part) bool {
	if c.Wrong != "" {
		return false
	}
	b := c.withID(p.Choice, p.ID)
	if b != nil && (p.New || p.Indexed && b.index != p.Index) {
		return c.wrong(sameID)
	}
	if b == nil && !p.New {
		b = c.open(&p)
	}
	if b == nil {
		if !p.Indexed {
			p.Index = int64(len(c.calls))
		}
		c.calls = append(c.calls, call{choice: p.Choice, index: p.Index, id: strings.Clone(p.ID)})
		b = &c.calls[len(c.calls)-1]
		c.kept += perCall + int64(len(p.ID))
	}
	if b.id == "" && p.ID != "" {
		b.id = strings.Clone(p.ID)
		c.kept += int64(len(p.ID))
	}
	b.free = b.free || p.Free
	if p.Whole {
		b.said = b.said[:0]
	}
	if !b.free && !b.judged {
		b.said = append(b.said, p.Arguments...)
		c.kept += int64(len(p.Arguments))
	}
	if c.kept > c.Limit {
		return c.wrong(fmt.Sprintf("called tools with more than %d MiB of arguments", c.Limit>>20))
	}
	return true
}

// withID gives the call of that id.
func (c *Calls) withID(choice int64, id string) *call {
	for i := range c.calls {
		if b := &c.calls[i]; id != "" && b.id == id && b.choice == choice {
			return b
		}
	}
	return nil
}

// open gives the call that a part with no id, or a new one, goes on with. Servers exist that leave the index out, that number
// all calls 0, and that give each part of one call another id: a call ends where its arguments are whole and the next part begins something.
func (c *Calls) open(p *Part) *call {
	for i := len(c.calls) - 1; i >= 0; i-- {
		b := &c.calls[i]
		switch {
		case b.choice != p.Choice:
		case p.Indexed && b.index == p.Index:
			if (p.Named || p.ID != "" && b.id != "") && b.whole() {
				return nil
			}
			return b
		case !p.Indexed && p.ID == "":
			return b
		}
	}
	return nil
}

// End is the end of a choice. Arguments of one that was cut are as they are.
func (c *Calls) End(choice int64, cut bool) bool { return c.end(cut, &choice) }

// EndAll is the end of an answer.
func (c *Calls) EndAll(cut bool) bool { return c.end(cut, nil) }

func (c *Calls) end(cut bool, choice *int64) bool {
	for i := range c.calls {
		b := &c.calls[i]
		if b.judged || choice != nil && b.choice != *choice {
			continue
		}
		if c.Wrong == "" && !cut && !b.free && !b.whole() {
			c.wrong(noObject)
		}
		b.judged, b.said = true, nil
	}
	return c.Wrong == ""
}

func (c *Calls) wrong(what string) bool {
	c.Wrong = what
	return false
}

// whole says whether the arguments are an object, or nothing, which is what models write for a tool that takes nothing.
func (b *call) whole() bool {
	if b.free || b.judged {
		return true
	}
	said := strings.TrimSpace(wire.Unescape(b.said))
	return said == "" || IsObject(said)
}

// IsObject says whether the arguments of a function are what they must be.
func IsObject(arguments string) bool {
	arguments = strings.TrimSpace(arguments)
	return strings.HasPrefix(arguments, "{") && wire.ValidString(arguments)
}
