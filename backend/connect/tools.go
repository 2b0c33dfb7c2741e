package connect

// Read is when the tools' own documents were read for what this table says.
const Read = "2026-11-27"

// Tool is a program or library that can be pointed at this server.
type Tool struct {
	ID    string
	Name  string
	Group Group
	Docs  string // what its makers say of it
	// Version says what the snippets were held against.
	Version string
	Notes   []string

	parts []part
	ask   ask
}

// Group is what kind of a tool one is.
type Group string

// The groups.
const (
	Coding  Group = "coding"
	Library Group = "library"
)

// part is a snippet's template and what stands around it.
type part struct {
	title, where, language, file string
	onlyWithKey                  bool
}

const (
	inShell   = "In a shell, or in ~/.zshrc to keep it"
	noteAgent = "A coding agent begins with some thousand tokens of instructions and tools: choose a model that takes in 32k tokens or more and calls tools."
)

// setKey is for tools that read the key from the environment themselves.
var setKey = part{title: "API key", where: inShell, language: "shell", file: "key.sh", onlyWithKey: true}

// Tools are all that are known, in the order in which they are shown. This is what they were held against:
//
//   - Claude Code, Codex, opencode, aider, Continue's command line (cn), curl and the SDKs for Python and JavaScript were
//     run with these snippets against a server, in these versions. The bodies of asks are what the first four were seen to
//     send; cn sends the same as opencode, with other tools.
//   - Zed: docs/src/ai/use-api-access.md of its repository. Cursor: its help on API keys, and what others write of it.
//   - Of openai-go the version is the one that this project's own tests are built with.
func Tools() []Tool { return append([]Tool{}, tools...) }

// Find gives the tool of an id.
func Find(id string) (Tool, bool) {
	for _, t := range tools {
		if t.ID == id {
			return t, true
		}
	}
	return Tool{}, false
}

// IDs are those of all tools.
func IDs() []string {
	ids := make([]string, len(tools))
	for i, t := range tools {
		ids[i] = t.ID
	}
	return ids
}

var tools = []Tool{
	{
		ID: "claude-code", Name: "Claude Code", Group: Coding, Version: "version 2.1.197", Docs: "https://code.claude.com/docs/en/llm-gateway",
		Notes: []string{
			"Unset ANTHROPIC_API_KEY where it is set: it is sent beside the token. mlxbar takes the one that it gave out, and passes neither on.",
			"CLAUDE_CODE_ATTRIBUTION_HEADER=0 keeps a line that changes from one conversation to the next out of the prompt's head, so that a local model need not read all of it anew.",
			noteAgent,
		},
		parts: []part{
			{title: "For one shell", where: "In a shell", language: "shell", file: "claude-code.sh"},
			{title: "Or for good", where: "~/.claude/settings.json", language: "json", file: "claude-code.json"},
		},
		ask: ask{protocol: messages, path: "/v1/messages?beta=true", body: "claude-code.json", agent: true, headers: map[string]string{
			"Anthropic-Version": "2023-06-01",
			"Anthropic-Beta":    "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,prompt-caching-scope-2026-01-05,effort-2025-11-24",
			"X-App":             "cli",
		}},
	},
	{
		ID: "codex", Name: "Codex", Group: Coding, Version: "version 0.171.0", Docs: "https://developers.openai.com/codex/config-advanced",
		Notes: []string{"Codex says that it has no metadata of the model, and goes on.", noteAgent},
		parts: []part{
			{title: "Settings", where: "~/.codex/config.toml", language: "toml", file: "codex.toml"},
			setKey,
		},
		ask: ask{protocol: responses, path: "/v1/responses", body: "codex.json", agent: true},
	},
	{
		ID: "cursor", Name: "Cursor", Group: Coding, Version: "its documents", Docs: "https://cursor.com/help/models-and-usage/api-keys",
		Notes: []string{
			"Cursor sends requests through its own servers, which cannot reach an address of this machine alone. It takes a tunnel with a public address and an API key of mlxbar's, and then what you ask passes through Cursor and the tunnel.",
			"While the override is on, Cursor sends its own OpenAI models there too. Tab completions stay with Cursor.",
			"The check below asks as Cursor's servers would, from this machine: it does not show that they can reach it.",
		},
		parts: []part{
			{title: "Settings", where: "Cursor Settings, Models, API Keys", language: "text", file: "cursor.txt"},
		},
		ask: ask{protocol: chat, path: "/v1/chat/completions", body: "chat-tools.json", agent: true},
	},
	{
		ID: "zed", Name: "Zed", Group: Coding, Version: "its documents", Docs: "https://zed.dev/docs/ai/use-api-access#openai-compatible",
		Notes: []string{
			"Zed wants an API key for every provider: where mlxbar requires none, enter any text in Zed's settings under AI, LLM Providers.",
			"Zed reads MLXBAR_API_KEY from the environment that it was started in; one started from the Dock has only the key that its settings hold.",
			noteAgent,
		},
		parts: []part{
			{title: "Settings", where: "~/.config/zed/settings.json", language: "json", file: "zed.json"},
			setKey,
		},
		ask: ask{protocol: chat, path: "/v1/chat/completions", body: "chat-tools.json", agent: true},
	},
	{
		ID: "continue", Name: "Continue", Group: Coding, Version: "version 1.5.47 of its command line", Docs: "https://docs.continue.dev/reference",
		Notes: []string{noteAgent},
		parts: []part{
			{title: "Settings", where: "~/.continue/config.yaml", language: "yaml", file: "continue.yaml"},
			{title: "API key", where: "~/.continue/.env", language: "text", file: "continue.env", onlyWithKey: true},
		},
		ask: ask{protocol: chat, path: "/v1/chat/completions", body: "chat-tools.json", agent: true},
	},
	{
		ID: "aider", Name: "aider", Group: Coding, Version: "version 0.86.2", Docs: "https://aider.chat/docs/llms/openai-compat.html",
		Notes: []string{"aider calls no tools: it takes changes out of what the model writes."},
		parts: []part{
			{title: "In your project", where: "In a shell", language: "shell", file: "aider.sh"},
		},
		ask: ask{protocol: chat, path: "/v1/chat/completions", body: "aider.json"},
	},
	{
		ID: "opencode", Name: "opencode", Group: Coding, Version: "version 1.18.33", Docs: "https://opencode.ai/docs/providers/",
		Notes: []string{"This is how opencode 1 is set. Version 2, which its documents describe already, writes providers another way (providers, package, settings).", noteAgent},
		parts: []part{
			{title: "Settings", where: "~/.config/opencode/opencode.json", language: "json", file: "opencode.json"},
			setKey,
		},
		ask: ask{protocol: chat, path: "/v1/chat/completions", body: "chat-tools.json", agent: true},
	},
	{
		ID: "curl", Name: "curl", Group: Library, Version: "version 7.88.1", Docs: "https://curl.se/docs/manpage.html",
		parts: []part{
			{title: "Chat Completions", where: "In a shell", language: "shell", file: "curl-chat.sh"},
			{title: "Messages", where: "In a shell", language: "shell", file: "curl-messages.sh"},
		},
		ask: ask{protocol: chat, path: "/v1/chat/completions", body: "chat.json"},
	},
	{
		ID: "openai-python", Name: "OpenAI SDK, Python", Group: Library, Version: "version 3.57.0", Docs: "https://github.com/openai/openai-python",
		parts: []part{{title: "pip install openai", where: "A Python file", language: "python", file: "openai.py"}, setKey},
		ask:   ask{protocol: chat, path: "/v1/chat/completions", body: "chat.json"},
	},
	{
		ID: "openai-js", Name: "OpenAI SDK, JavaScript", Group: Library, Version: "version 6.49.0", Docs: "https://github.com/openai/openai-node",
		parts: []part{{title: "npm install openai", where: "A module (.mjs)", language: "javascript", file: "openai.mjs"}, setKey},
		ask:   ask{protocol: chat, path: "/v1/chat/completions", body: "chat.json"},
	},
	{
		ID: "openai-go", Name: "OpenAI SDK, Go", Group: Library, Version: "version 3.98.0", Docs: "https://github.com/openai/openai-go",
		parts: []part{{title: "go get github.com/openai/openai-go/v3", where: "main.go", language: "go", file: "openai.go.txt"}, setKey},
		ask:   ask{protocol: chat, path: "/v1/chat/completions", body: "chat.json"},
	},
	{
		ID: "anthropic-python", Name: "Anthropic SDK, Python", Group: Library, Version: "version 2.14.0", Docs: "https://github.com/anthropics/anthropic-sdk-python",
		parts: []part{{title: "pip install anthropic", where: "A Python file", language: "python", file: "anthropic.py"}, setKey},
		ask:   ask{protocol: messages, path: "/v1/messages", body: "messages.json", headers: map[string]string{"Anthropic-Version": "2023-06-01"}},
	},
	{
		ID: "anthropic-js", Name: "Anthropic SDK, JavaScript", Group: Library, Version: "version 1.14.0", Docs: "https://github.com/anthropics/anthropic-sdk-typescript",
		parts: []part{{title: "npm install @anthropic-ai/sdk", where: "A module (.mjs)", language: "javascript", file: "anthropic.mjs"}, setKey},
		ask:   ask{protocol: messages, path: "/v1/messages", body: "messages.json", headers: map[string]string{"Anthropic-Version": "2023-06-01"}},
	},
}
