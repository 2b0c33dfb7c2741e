// Package turn holds what a request to a language model and its answer mean, apart
// from how any protocol writes them: messages and their blocks, tools, limits, the
// answer's blocks and its end, and the events of a stream. The packages of the
// protocols read into it and write out of it, so that none of them knows another.
//
// What one protocol can say and another cannot is refused by whoever writes it,
// with the place where the client wrote it (At); what the protocols' documents
// allow to leave out is noted. Nothing is left out without a note.
package turn

import (
	"strings"

	"mlxbar/backend/gateway/wire"
)

// A Request asks a model for the next turn of a conversation.
type Request struct {
	Model    string
	System   []Block // what stands before the conversation, text only
	Messages []Message
	Tools    []Tool
	Choice   Choice
	Parallel *bool // whether several tools may be called at once; nil: the model's default

	MaxTokens   *int64
	Temperature *float64
	TopP        *float64
	TopK        *int64
	Stop        []string
	Stream      bool
	Usage       bool // a chat client asked for usage in the stream
	Format      Format
	Reasoning   Reasoning
	User        string // the id that a client gave its end user

	Notes []wire.Note
	Size  int // of what the client sent, about which another protocol takes too; 0 if nobody counted
}

// A Role says who speaks.
type Role int

// The roles.
const (
	User Role = iota
	Assistant
	System // in mid-conversation; at its beginning it is Request.System
)

// A Message is what one of the two, or the system, says.
type Message struct {
	Role   Role
	Blocks []Block
	At     string
}

// A Kind tells the blocks of a message apart.
type Kind int

// The kinds of block.
const (
	Text Kind = iota
	Image
	Document
	ToolCall
	ToolResult
	Thinking // reasoning
	Redacted // reasoning that only its provider can read
	Refusal
)

// A Block is one part of a message. Which fields count depends on its kind.
type Block struct {
	Kind Kind
	At   string

	Text   string // of Text, Thinking and Refusal
	Source Source // of Image and Document

	ID        string  // of a tool call, and of the call that a result answers
	Name      string  // of the tool
	Namespace string  // of the tool, in protocols that have them
	Custom    bool    // the call's input is text, not an object
	Arguments string  // of a call: JSON, or the text of a custom one
	Content   []Block // of a result: text, images, documents
	IsError   bool    // of a result

	Signature string // of Thinking; the data of Redacted
}

// A Source is where an image or a document comes from: an address, or bytes in
// base64, or plain text.
type Source struct {
	URL       string
	MediaType string
	Data      string // base64
	Text      string
	Name      string // of a file
	Detail    string // how closely to look at an image
}

// A Tool is something that the model may call.
type Tool struct {
	Name        string
	Namespace   string
	Description string
	Schema      string // JSON schema of the arguments, "" for none
	Strict      *bool
	Custom      bool   // it takes text and no object
	Grammar     string // JSON: the format of that text
	At          string
}

// A Mode says whether tools are called.
type Mode int

// The modes. Unset leaves it to the protocol, which is Auto in all of them.
const (
	Unset Mode = iota
	Auto
	None
	Required
	Named
)

// A Choice is whether and which tools are called.
type Choice struct {
	Mode            Mode
	Name, Namespace string // for Named
	At              string
}

// A FormatKind is the form of the answer's text.
type FormatKind int

// The forms.
const (
	FreeText FormatKind = iota
	JSONObject
	JSONSchema
)

// A Format is what the answer's text must be.
type Format struct {
	Kind              FormatKind
	Name, Description string
	Schema            string // JSON
	Strict            *bool
	At                string
}

// Reasoning is how much the model should think. Protocols say it as an effort or
// as a budget of tokens; none of them is "" and nil.
type Reasoning struct {
	Effort string // none, minimal, low, medium, high, xhigh, max
	Budget *int64
	Off    bool
	At     string
}

// A Stop is why an answer ended.
type Stop int

// The reasons.
const (
	NotStopped Stop = iota
	EndTurn
	MaxTokens
	StopSequence
	ToolUse
	Refused
	Paused
	ContextFull
)

// Usage counts tokens. Input holds all of the prompt, those read from and written
// to a cache included.
type Usage struct {
	Known                                                 bool
	Input, CacheRead, CacheWrite, Output, ReasoningTokens int64
	CacheWrite1H                                          int64 // of CacheWrite, those that are kept for an hour
}

// An Answer is what the model says.
type Answer struct {
	ID, Model    string
	Blocks       []Block
	Stop         Stop
	StopSequence string
	Usage        Usage
}

// Header writes notes as the value of a response header: the fields, each once.
func Header(notes []wire.Note) string {
	const most = 1024
	var b strings.Builder
	seen := map[string]bool{}
	for _, n := range notes {
		if seen[n.Field] {
			continue
		}
		seen[n.Field] = true
		if b.Len()+len(n.Field) > most {
			b.WriteString(", and more")
			break
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(n.Field)
	}
	return b.String()
}
