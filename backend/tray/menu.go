// Package tray is the menu-bar icon without its drawing: the menu as a pure function of the
// server's state, and the keeper that starts the server, watches it and does what is clicked.
package tray

import (
	"fmt"
	"strings"

	"mlxbar/backend/desktop"
)

// Action is what a click on an item asks for.
type Action string

// The actions. None is that of a line to read.
const (
	None  Action = ""
	Start Action = "start"
	Stop  Action = "stop"
	Open  Action = "open"
	Copy  Action = "copy"
	Quit  Action = "quit"
)

// An Item is one line of the menu.
type Item struct {
	Title     string // "" is a separator
	Action    Action
	Enabled   bool
	Invisible bool
}

// State is all that the menu depends on.
type State struct {
	Server desktop.State
	Note   string // a word about something that went wrong
	Ending bool   // Quit was clicked
}

// Menu gives the items, always as many and in the same order, so that one who draws them can
// change them in place.
func Menu(s State) []Item {
	toggle := Item{Title: "Start", Action: Start, Enabled: !s.Ending}
	switch s.Server.Phase {
	case desktop.Running:
		toggle = Item{Title: "Stop", Action: Stop, Enabled: !s.Ending}
	case desktop.Starting:
		toggle.Enabled = false
	case desktop.Stopping:
		toggle = Item{Title: "Stop", Action: Stop}
	}
	return []Item{
		{Title: stateLine(s)},
		{Title: shorten(s.Note), Invisible: s.Note == ""},
		{},
		toggle,
		{Title: "Open mlxbar", Action: Open, Enabled: !s.Ending},
		{Title: "Copy Address", Action: Copy, Enabled: s.Server.Phase == desktop.Running},
		{},
		{Title: "Quit", Action: Quit, Enabled: !s.Ending},
	}
}

func stateLine(s State) string {
	switch s.Server.Phase {
	case desktop.Running:
		return "Running · " + s.Server.Server.Addr + failures(s.Server.Failing) + downloads(s.Server.Downloading)
	case desktop.Starting:
		return "Starting…"
	case desktop.Stopping:
		return "Stopping, finishing requests…"
	case desktop.Failed:
		return "Not running"
	}
	return "Stopped"
}

// failures is a word about models that cannot be used as they are; the page Models says why.
func failures(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return " · a model has failed"
	}
	return fmt.Sprintf(" · %d models have failed", n)
}

// downloads is a word about models that come, while some do.
func downloads(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return " · downloading a model"
	}
	return fmt.Sprintf(" · downloading %d models", n)
}

const maxNote = 90 // runes; a menu is no place for more

func shorten(note string) string {
	runes := []rune(strings.Join(strings.Fields(note), " "))
	if len(runes) <= maxNote {
		return string(runes)
	}
	return string(runes[:maxNote-1]) + "…"
}
