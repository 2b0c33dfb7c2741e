package upstream

// The scripts that keep a client waiting, and those that break off.

func slowHeaders(x *exchange) {
	if x.wait() {
		ok(x.unpaced())
	}
}

func slowFirst(x *exchange) { x.pausedAfter(0) }

func slowContent(x *exchange) {
	x.pausedAfter(len(x.built(x.n).answer.opening()))
}

func slowIdle(x *exchange) {
	x.pausedAfter(len(x.built(x.n).answer.opening()) + (x.n+1)/2)
}

// pausedAfter sends k events, or that share of a JSON answer, waits, and sends the rest.
func (x *exchange) pausedAfter(k int) {
	b := x.built(x.n)
	parts := b.events
	if !x.stream {
		half := min(k, 1) * len(b.answer.json) / 2
		parts, k = [][]byte{b.answer.json[:half], b.answer.json[half:]}, 1
	}
	x.unpaced()
	if x.head(len(b.answer.json)) && x.each(parts[:k]) && x.wait() {
		x.each(parts[k:])
	}
}

// unpaced keeps the delay for a single wait and not for one between tokens.
func (x *exchange) unpaced() *exchange { x.paced = false; return x }

func hang(x *exchange) {
	if !x.paced {
		x.delay = MaxDelay
	}
	x.wait()
}

// endless sends the tokens of an answer again and again; JSON has no such thing and only stays open.
func endless(x *exchange) {
	a := x.built(max(x.n, 1)).answer
	if x.halfOf(a) {
		return
	}
	x.paced = true
	x.streamHead()
	for ok := x.each(a.opening()); ok; {
		ok = x.each(a.tokens) && x.wait()
	}
}

// halfOf sends one half of a JSON answer and never the other; false for a stream.
func (x *exchange) halfOf(a *answer) bool {
	if x.stream {
		return false
	}
	if x.head(-1) && x.send(a.json[:len(a.json)/2]) {
		x.delay = MaxDelay
		x.wait()
	}
	return true
}

func cut(x *exchange) {
	b := x.built(max(x.n, x.server.options.chunks))
	if x.head(len(b.answer.json)) {
		x.firstPart(b.answer)
	}
	x.abort()
}

func cutClean(x *exchange) {
	a := x.built(max(x.n, x.server.options.chunks)).answer
	if x.head(-1) {
		x.firstPart(a)
	}
}

// firstPart sends n tokens, or half of the JSON.
func (x *exchange) firstPart(a *answer) bool {
	if !x.stream {
		return x.send(a.json[:len(a.json)/2])
	}
	return x.each(append(a.opening(), a.tokens[:x.n]...))
}
