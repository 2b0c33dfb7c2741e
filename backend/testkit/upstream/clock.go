package upstream

import (
	"bytes"
	"strconv"
	"time"
)

// ClockMark begins each token of the script "clock"; nanoseconds since 1970 follow, when it was sent.
const ClockMark = "at="

// clock answers with the time. Its events are cut out of one that is made once, so that with a
// thousand streams the upstream is not what takes long.
func clock(x *exchange) {
	if !x.stream {
		x.json(x.build([]block{said(ClockMark + strconv.FormatInt(time.Now().UnixNano(), 10))}).json)
		return
	}
	a := x.build([]block{said(ClockMark)})
	before, after, _ := bytes.Cut(a.tokens[0], []byte(ClockMark))
	x.streamHead()
	if !x.each(a.opening()) {
		return
	}
	var event []byte
	for range x.n {
		if x.paced && !x.wait() {
			return
		}
		event = append(append(event[:0], before...), ClockMark...)
		event = append(strconv.AppendInt(event, time.Now().UnixNano(), 10), after...)
		if !x.send(event) {
			return
		}
	}
	x.each(a.all(x.usage)[len(a.opening())+len(a.tokens):])
}
