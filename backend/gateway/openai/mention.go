package openai

import "bytes"

// A mention is which members an event has that are worth a closer look.
type mention uint8

const (
	mentionsError mention = 1 << iota
	mentionsUsage
	mentionsTimings
	mentionsFinish
	mentionsCalls
)

// mentioned looks for all of them in one pass. With include_usage every event but the last has a usage that is null, and so
// are most reasons to finish: what is null, or an empty list, is not mentioned. A name in a text has other quotes.
func mentioned(data []byte) (m mention) {
	for {
		at := bytes.IndexByte(data, '"')
		if at < 0 || at+1 == len(data) {
			return m
		}
		data = data[at+1:]
		switch data[0] {
		case 'e':
			m |= member(data, `error"`, mentionsError)
		case 'u':
			m |= member(data, `usage"`, mentionsUsage)
		case 'f':
			m |= member(data, `finish_reason"`, mentionsFinish)
		case 't':
			m |= member(data, `timings"`, mentionsTimings) | member(data, `tool_calls"`, mentionsCalls)
		}
	}
}

// member is which where data begins with name, and has something for it.
func member(data []byte, name string, which mention) mention {
	if len(data) < len(name) || string(data[:len(name)]) != name {
		return 0
	}
	value := bytes.TrimLeft(data[len(name):], ": \t\r\n")
	if bytes.HasPrefix(value, []byte("null")) ||
		len(value) > 1 && value[0] == '[' && bytes.HasPrefix(bytes.TrimLeft(value[1:], " \t\r\n"), []byte("]")) {
		return 0
	}
	return which
}
