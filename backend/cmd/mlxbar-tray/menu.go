package main

import (
	"context"
	_ "embed"
	"slices"
	"sync"

	"github.com/getlantern/systray"

	"mlxbar/backend/tray"
)

//go:embed icon.png
var icon []byte

//go:embed icon-template.png
var iconTemplate []byte // black on nothing: macOS tints it for the menu bar

// menu draws tray's items with the desktop's own, in place: there are always as many.
type menu struct {
	ctx    context.Context
	clicks chan tray.Action
	drawn  []*systray.MenuItem

	mu    sync.Mutex // guards items, which clicks read
	items []tray.Item
}

func newMenu(ctx context.Context) *menu {
	systray.SetTemplateIcon(iconTemplate, icon)
	systray.SetTooltip("mlxbar")
	return &menu{ctx: ctx, clicks: make(chan tray.Action)}
}

// show is called from one goroutine.
func (m *menu) show(items []tray.Item) {
	if m.drawn == nil {
		for i, item := range items {
			m.drawn = append(m.drawn, m.add(i, item))
		}
	}
	for i, item := range items {
		if m.drawn[i] != nil && (m.items == nil || m.items[i] != item) {
			draw(m.drawn[i], item)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.items = slices.Clone(items)
}

func (m *menu) add(i int, item tray.Item) *systray.MenuItem {
	if item.Title == "" && !item.Invisible {
		systray.AddSeparator()
		return nil
	}
	drawn := systray.AddMenuItem(item.Title, "")
	go m.pass(i, drawn.ClickedCh)
	return drawn
}

// pass hands on the clicks on item i, as what the item means at the time. The library drops a
// click that nobody waits for, so each item has one who waits.
func (m *menu) pass(i int, clicked <-chan struct{}) {
	for {
		select {
		case <-clicked:
		case <-m.ctx.Done():
			return
		}
		select {
		case m.clicks <- m.action(i):
		case <-m.ctx.Done():
			return
		}
	}
}

func (m *menu) action(i int) tray.Action {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i >= len(m.items) { // clicked before it was all drawn
		return tray.None
	}
	return m.items[i].Action
}

func draw(drawn *systray.MenuItem, item tray.Item) {
	drawn.SetTitle(item.Title)
	if item.Enabled {
		drawn.Enable()
	} else {
		drawn.Disable()
	}
	if item.Invisible {
		drawn.Hide() // last: any other change would show it again
	}
}
