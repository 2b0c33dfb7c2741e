package upstream

import (
	"strconv"

	"github.com/tidwall/gjson"
)

// agentCalls are what the script "agent" has a coding agent do: with each of these tools that it offers, once, something
// harmless. The names are those that agents were seen to offer, in the words of the protocol that reaches this server.
var agentCalls = []struct{ tool, arguments string }{
	{"Bash", `{"command":"echo ` + Marker + `","description":"Say a word"}`},                                           // Claude Code, Continue
	{"bash", `{"command":"echo ` + Marker + `","description":"Say a word"}`},                                           // opencode
	{"exec_command", `{"cmd":"echo ` + Marker + `"}`},                                                                  // Codex
	{"apply_patch", `{"input":"*** Begin Patch\n*** Add File: ` + Marker + `.txt\n+` + Marker + `\n*** End Patch\n"}`}, // Codex, a custom tool
	{"functions__exec", `{"input":"text(\"` + Marker + `\")"}`},                                                        // Codex, a custom tool of a namespace
	{"multi_agent_v1__close_agent", `{"target":"` + Marker + `"}`},                                                     // Codex, a tool of a namespace
}

// agent calls the tools that it knows one after the other, and when it has heard of all of them, it answers.
func agent(x *exchange) {
	offered, heard := offeredTools(x.body), results(x.body)
	blocks := []block{said(pieces(x.n)...)}
	for _, c := range agentCalls {
		if !offered[c.tool] {
			continue
		}
		if heard--; heard < 0 {
			half := len(c.arguments) / 2
			blocks = []block{said(Marker, " first"), {kind: toolCall, id: "agent" + strconv.Itoa(results(x.body)), name: c.tool, pieces: []string{c.arguments[:half], c.arguments[half:]}}}
			break
		}
	}
	x.transformed(x.build(blocks), x.usage, unchanged)
}

// offeredTools are the names of the tools of a request of any protocol.
func offeredTools(body []byte) map[string]bool {
	names := map[string]bool{}
	for _, t := range gjson.GetBytes(body, "tools").Array() {
		names[t.Get("name").Str] = true
		names[t.Get("function.name").Str] = true
	}
	return names
}

// results counts what a request of any protocol tells of tools that were called.
func results(body []byte) (n int) {
	for _, m := range append(gjson.GetBytes(body, "messages").Array(), gjson.GetBytes(body, "input").Array()...) {
		switch {
		case m.Get("role").Str == "tool", m.Get("type").Str == "function_call_output", m.Get("type").Str == "custom_tool_call_output":
			n++
		default:
			for _, part := range m.Get("content").Array() {
				if part.Get("type").Str == "tool_result" {
					n++
				}
			}
		}
	}
	return n
}
