package main

import (
	"strings"
	"testing"

	"mlxbar/backend/testkit/session"
)

// A person who has only the keyboard comes to the pages Models and Playground by the palette, and asks there.
func TestThePaletteOpensModelsAndThePlaygroundInTheWindow(t *testing.T) {
	n := newNative(t)
	reader := n.Reader()
	_, window := n.open()
	for _, page := range []struct{ words, says string }{
		{"Models", "Open models folder"}, // which is the window's alone
		{"Discover models", "Token of the Hub"},
		{"Playground", "Ask a model something."},
	} {
		n.choose(reader, window, page.words)
		n.Eventually("the page after the command "+page.words, func() bool { return reader.Says(page.says) })
		n.keep(window, strings.ToLower(page.words)+".png")
	}

	n.Eventually("the keyboard to be in the message", func() bool { return reader.Focus().Name == "Message" })
	n.press("type", "--delay", "15", "Name a river.")
	n.press("key", "Return")
	n.Eventually("the answer's end", func() bool {
		_, answering := reader.Find(func(t session.Thing) bool { return t.Button("Stop smollm2-135m-instruct") })
		return !answering && reader.Says("tokens/s")
	})
	n.Eventually("the end of the request", func() bool { return n.newest().Status != "running" }) // a moment after its answer's
	if record := n.newest(); record.Endpoint != "/v1/chat/completions" || !strings.HasPrefix(record.Client, "mlxbar-app") || record.Status != "success" {
		t.Errorf("the audit has %+v", record)
	}
	n.keep(window, "playground answered.png")
}
