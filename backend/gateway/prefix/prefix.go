// Package prefix notices clients whose prompts begin otherwise with every request while the rest stays: an engine
// can reuse nothing of such a prompt, for it reuses what is the same from the start on. A date or a time does that, and a
// line by which Claude Code's requests are accounted for.
//
// Nothing of a prompt is kept: what is compared are keyed hashes, with a key that each process draws and
// never tells, in memory alone, of the last few prompts.
package prefix

import (
	"hash/maphash"
	"strings"
	"sync"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/wire"
)

// ChangesAtStart says that the first lines differ each time while the rest is equal.
const ChangesAtStart = "prefix-changes-at-start"

const (
	headLines = 4        // that may differ
	leastBody = 2 << 10  // below, a prompt costs too little to speak of
	leastRest = 64       // bytes that must be equal
	enough    = 512      // of instructions after the first lines; with fewer the first question counts, too
	mostRest  = 16 << 10 // that are looked at
	kept      = 256      // prompts
	times     = 2        // in a row
)

// Watch compares prompts. It is safe for concurrent use.
type Watch struct {
	seed maphash.Seed

	mu   sync.Mutex
	seen map[uint64]*start // by client, model and what follows the first lines
	ring [kept]uint64      // their keys, the oldest at next
	next int
}

// start is the beginning of a prompt that was seen last.
type start struct {
	head    uint64
	changes int // how often in a row it was another
}

// New makes a watch that has seen nothing.
func New() *Watch { return &Watch{seed: maphash.MakeSeed(), seen: map[uint64]*start{}} }

// Look compares the prompt of a body with those before of the same client and model. It returns ChangesAtStart or "".
func (w *Watch) Look(client, model string, body []byte) string {
	if len(body) < leastBody {
		return ""
	}
	p := prompt{}
	p.head.SetSeed(w.seed)
	p.rest.SetSeed(w.seed)
	p.rest.WriteString(client)
	p.rest.WriteByte(0)
	p.rest.WriteString(model)
	p.rest.WriteByte(0)
	if p.read(body); p.length < leastRest {
		return ""
	}
	return w.compare(p.rest.Sum64(), p.head.Sum64())
}

func (w *Watch) compare(key, head uint64) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, known := w.seen[key]
	switch {
	case !known:
		delete(w.seen, w.ring[w.next])
		w.ring[w.next] = key
		w.next = (w.next + 1) % kept
		w.seen[key] = &start{head: head}
		return ""
	case s.head == head:
		s.changes = 0
	default:
		s.head = head
		s.changes++
	}
	if s.changes < times {
		return ""
	}
	return ChangesAtStart
}

// prompt is one that is being read.
type prompt struct {
	head, rest maphash.Hash
	lines      int  // of the head so far
	length     int  // of the rest
	asked      bool // the first question was read
}

// read takes in the instructions of a body and, where they are short, the first question.
func (p *prompt) read(body []byte) {
	var system, content gjson.Result
	gjson.Parse(wire.View(body)).ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "system", "instructions":
			system = value
		case "messages", "input", "prompt":
			content = value
		}
		return !system.Exists() || !content.Exists()
	})
	p.text(system.Raw)
	if content.Type == gjson.String {
		p.question(content.Raw)
		return
	}
	content.ForEach(func(_, message gjson.Result) bool {
		switch message.Get("role").Str {
		case "system", "developer":
			p.text(message.Raw)
			return true
		case "user":
			p.question(message.Raw)
		}
		return false
	})
}

// question takes in what is asked first, unless the instructions say enough: then each conversation with them is like
// the others. Where there are instructions their lines are the beginning, however few.
func (p *prompt) question(raw string) {
	if p.length >= enough {
		return
	}
	if p.lines > 0 {
		p.lines = headLines
	}
	p.text(raw)
}

// text takes in a text or a list of parts as JSON writes it, first lines first: to read it would cost more than to
// compare it, and the same words come in the same JSON.
func (p *prompt) text(raw string) {
	raw = raw[:min(len(raw), max(0, mostRest-p.length))]
	for raw != "" && p.lines < headLines {
		end := lineEnd(raw)
		p.head.WriteString(raw[:end])
		p.head.WriteByte('\n')
		raw = raw[end:]
		p.lines++
	}
	p.rest.WriteString(raw)
	p.length += len(raw)
}

// lineEnd is where the first line of a JSON text ends, with its \n, or the first of its parts.
func lineEnd(raw string) int {
	const part = "},{"
	most := len(raw)
	if end := strings.Index(raw, part); end >= 0 {
		most = end + len(part)
	}
	for at := 0; ; at += 2 {
		next := strings.IndexByte(raw[at:most], '\\')
		if next < 0 || at+next+1 >= most {
			return most
		}
		if at += next; raw[at+1] == 'n' {
			return at + 2
		}
	}
}
