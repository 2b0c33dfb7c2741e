package turn

import (
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/wire"
)

// longestName is what OpenAI allows; Anthropic allows more.
const longestName = 64

// A Ref names a tool as its client does.
type Ref struct{ Namespace, Name string }

// Names are the tools of a request as plain functions: a tool of a namespace gets
// a name of its own, a custom tool a schema with one text. The way back restores
// what the client asked with. Build it once for a request and its answer.
type Names struct {
	flat   map[Ref]string
	origin map[string]Tool
}

// NewNames names the tools of r. Names that are taken already, or too long, get a
// number or a hash.
func NewNames(r *Request) *Names {
	n := &Names{flat: map[Ref]string{}, origin: map[string]Tool{}}
	for _, t := range r.Tools { // plain ones keep their names, whatever comes before
		if t.Namespace == "" {
			n.add(t.Name, t)
		}
	}
	for _, t := range r.Tools {
		if t.Namespace != "" {
			n.add(flatName(t.Namespace, t.Name), t)
		}
	}
	return n
}

// add keeps names alone, and copies of them: an answer may take long, and must not
// hold on to the body of its request.
func (n *Names) add(name string, t Tool) {
	name = strings.Clone(name)
	t = Tool{Namespace: strings.Clone(t.Namespace), Name: strings.Clone(t.Name), Custom: t.Custom}
	ref := Ref{t.Namespace, t.Name}
	if _, twice := n.flat[ref]; twice {
		return
	}
	free := name
	for i := 2; ; i++ {
		if _, taken := n.origin[free]; !taken {
			break
		}
		free = shorten(fmt.Sprintf("%s_%d", name, i))
	}
	n.flat[ref], n.origin[free] = free, t
}

func flatName(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return shorten(namespace + "__" + name)
}

func shorten(name string) string {
	if len(name) <= longestName {
		return name
	}
	h := fnv.New32a()
	h.Write([]byte(name))
	return fmt.Sprintf("%s_%08x", name[:longestName-9], h.Sum32())
}

// Flat gives the name of a function for a tool, also for one that the request does
// not list, as old calls in a conversation may be.
func (n *Names) Flat(namespace, name string) string {
	if flat, ok := n.flat[Ref{namespace, name}]; ok {
		return flat
	}
	return flatName(namespace, name)
}

// Origin gives the tool behind a function's name: how it is called, and whether it is
// a custom one. A name that the model made up is
// left as it is, for the client to see.
func (n *Names) Origin(flat string) Tool {
	if n != nil {
		if t, ok := n.origin[flat]; ok {
			return t
		}
	}
	return Tool{Name: flat}
}

// CustomSchema is the schema of a custom tool as a function.
const CustomSchema = `{"type":"object","properties":{"input":{"type":"string","description":"The input of the tool, as text."}},"required":["input"],"additionalProperties":false}`

// FunctionSchema gives the schema of a tool as a function.
func FunctionSchema(t Tool) string {
	switch {
	case t.Custom:
		return CustomSchema
	case t.Schema == "":
		return `{"type":"object","properties":{}}`
	}
	return t.Schema
}

// FunctionDescription adds to a custom tool's description the grammar that its
// input must follow, which a function has no other place for.
func FunctionDescription(t Tool) string {
	if !t.Custom || t.Grammar == "" {
		return t.Description
	}
	g := gjson.Parse(t.Grammar)
	if inner := g.Get("grammar"); inner.IsObject() {
		g = inner
	}
	if g.Get("definition").Str == "" {
		return t.Description
	}
	return t.Description + "\n\nThe input must follow this " + g.Get("syntax").Str + " grammar:\n" + g.Get("definition").Str
}

// FunctionArguments gives the arguments of a call as a function takes them.
func FunctionArguments(b *Block) string {
	switch {
	case b.Custom:
		w := wire.Writer{}
		w.Obj().Key("input").Str(b.Arguments).EndObj()
		return string(w.B)
	case b.Arguments == "": // what models write for a tool that takes nothing
		return "{}"
	}
	return b.Arguments
}

// Restore turns a call of a function into a call of the tool behind it. A custom
// tool's arguments that are not what its schema asks for stay as they are: the
// client's tool will say what is wrong with them.
func (n *Names) Restore(b Block) Block {
	t := n.Origin(b.Name)
	b.Namespace, b.Name = t.Namespace, t.Name
	if t.Custom {
		b.Custom, b.Arguments = true, CustomInput(b.Arguments)
	}
	return b
}

// CustomInput takes the text out of the arguments of a custom tool's function.
func CustomInput(arguments string) string {
	if wire.ValidString(arguments) {
		if in := gjson.Get(arguments, "input"); in.Type == gjson.String {
			return in.Str
		}
	}
	return arguments
}
