package turn

import "mlxbar/backend/gateway/problem"

// An EventKind tells the events of a streamed answer apart.
type EventKind int

// The kinds of event, in the order in which a stream has them.
const (
	Began      EventKind = iota // ID, Model, and Usage as far as it is known
	BlockBegan                  // Block; of a tool call ID and Name, of Redacted Body
	Delta                       // Body: more of the block that is open
	Signature                   // Body: the signature of the thinking that is open
	BlockEnded                  // Block
	Ended                       // Stop and StopSequence; no more blocks follow
	Ping                        // the upstream is alive
	Done                        // Usage; the stream is whole
)

// An Event is one step of a streamed answer. Blocks come one after the other, also
// where the upstream's protocol lets them interleave. Body is what stands between
// the quotes of a JSON string: from one protocol's string to another's nothing needs
// to be unescaped. Strings are valid until the decoder's next call.
type Event struct {
	Kind         EventKind
	Block        Kind
	ID, Name     string
	Model        string
	Body         string
	Stop         Stop
	StopSequence string
	Usage        Usage
}

// A Decoder reads the stream of an upstream. It is a state machine for one answer.
type Decoder interface {
	// Decode appends what the data of one server-sent event mean.
	Decode(into []Event, data []byte) ([]Event, *problem.Error)
	// Close is the end of the upstream's stream: it appends the end of an answer
	// that is whole, and is an error for one that is not.
	Close(into []Event) ([]Event, *problem.Error)
}

// An Encoder writes the stream for a client. It is a state machine for one answer.
type Encoder interface {
	// Encode appends the server-sent events that e means.
	Encode(dst []byte, e *Event) []byte
	// Fail appends how the protocol says that the stream failed.
	Fail(dst []byte, p *problem.Error, requestID string) []byte
}

// A Reply is what an encoder has to know of the request that it answers.
type Reply struct {
	ID      string // becomes the answer's id, after the protocol's prefix
	Model   string // "" for what the upstream says
	Created int64  // seconds since 1970
	Names   *Names
	Usage   bool // the client of a chat stream asked for usage
}

// A Converter turns one upstream's stream into one client's.
type Converter struct {
	decoder Decoder
	encoder Encoder
	events  []Event
	done    bool
	failed  *problem.Error
}

// NewConverter joins the two.
func NewConverter(d Decoder, e Encoder) *Converter {
	return &Converter{decoder: d, encoder: e, events: make([]Event, 0, 8)}
}

// Feed takes the data of the next event of the upstream (sse.Data) and appends what
// goes to the client, which may be nothing. After an error, which every later call
// gives too, call Fail: the stream must not end as if it were whole.
func (c *Converter) Feed(dst, data []byte) ([]byte, *problem.Error) {
	if c.failed != nil || c.done || data == nil {
		return dst, c.failed
	}
	events, err := c.decoder.Decode(c.events[:0], data)
	return c.write(dst, events, err)
}

// Close is Feed for the end of the upstream's stream, after which nothing comes.
func (c *Converter) Close(dst []byte) ([]byte, *problem.Error) {
	if c.failed != nil || c.done {
		return dst, c.failed
	}
	events, err := c.decoder.Close(c.events[:0])
	return c.write(dst, events, err)
}

func (c *Converter) write(dst []byte, events []Event, err *problem.Error) ([]byte, *problem.Error) {
	c.events = events
	for i := range events {
		dst = c.encoder.Encode(dst, &events[i])
		c.done = c.done || events[i].Kind == Done
	}
	c.failed = err
	return dst, err
}

// Fail appends the failure in the client's protocol. Nothing may follow.
func (c *Converter) Fail(dst []byte, p *problem.Error, requestID string) []byte {
	if c.done {
		return dst
	}
	c.failed = p
	return c.encoder.Fail(dst, p, requestID)
}

// Done says whether the client has a whole answer.
func (c *Converter) Done() bool { return c.done }
