package session

import (
	"fmt"
	"strings"

	"github.com/godbus/dbus/v5"
)

const (
	watcherName = "org.kde.StatusNotifierWatcher"
	itemFace    = "org.kde.StatusNotifierItem"
	menuFace    = "com.canonical.dbusmenu"
)

// A Bar is the desktop's place for icons, as far as an icon can tell.
type Bar struct {
	s     *Session
	conn  *dbus.Conn
	icons chan dbus.ObjectPath
	owner chan string
}

// Bar begins to take icons in.
func (s *Session) Bar() *Bar {
	s.t.Helper()
	conn, err := dbus.Connect(s.bus)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			s.t.Error(err)
		}
	})
	b := &Bar{s: s, conn: conn, icons: make(chan dbus.ObjectPath, 8), owner: make(chan string, 8)}
	if err := conn.Export(watcher{b}, "/StatusNotifierWatcher", watcherName); err != nil {
		s.t.Fatal(err)
	}
	if err := conn.Export(properties{}, "/StatusNotifierWatcher", "org.freedesktop.DBus.Properties"); err != nil {
		s.t.Fatal(err)
	}
	if got, err := conn.RequestName(watcherName, dbus.NameFlagDoNotQueue); err != nil || got != dbus.RequestNameReplyPrimaryOwner {
		s.t.Fatalf("the bar has no name on the bus: %d, %v", got, err)
	}
	return b
}

type watcher struct{ bar *Bar }

// RegisterStatusNotifierItem is what an icon calls when it appears.
func (w watcher) RegisterStatusNotifierItem(sender dbus.Sender, path string) *dbus.Error {
	w.bar.owner <- string(sender)
	w.bar.icons <- dbus.ObjectPath(path)
	return nil
}

type properties struct{}

// Get says of every property that it is so: there is a host for icons.
func (properties) Get(_, _ string) (dbus.Variant, *dbus.Error) { return dbus.MakeVariant(true), nil }

// GetAll tells the same.
func (properties) GetAll(string) (map[string]dbus.Variant, *dbus.Error) {
	return map[string]dbus.Variant{"IsStatusNotifierHostRegistered": dbus.MakeVariant(true)}, nil
}

// An Icon is one that a program has put into the bar.
type Icon struct {
	Name, Status, Picture string
	s                     *Session
	menu                  dbus.BusObject
}

// Icon waits for the next icon to appear.
func (b *Bar) Icon() *Icon {
	b.s.t.Helper()
	b.s.Eventually("an icon in the bar", func() bool { return len(b.icons) > 0 })
	owner, path := <-b.owner, <-b.icons
	item := b.conn.Object(owner, path)
	icon := &Icon{s: b.s}
	var menu dbus.ObjectPath
	for name, to := range map[string]any{"Id": &icon.Name, "Status": &icon.Status, "IconName": &icon.Picture, "Menu": &menu} {
		b.s.Eventually("the icon's "+name, func() bool {
			value, err := item.GetProperty(itemFace + "." + name)
			return err == nil && value.Store(to) == nil && value.String() != `""`
		})
	}
	icon.menu = b.conn.Object(owner, menu)
	return icon
}

type menuItem struct {
	id    int32
	title string
	line  string // as Menu writes it, "" when it is not to be seen
}

func (i *Icon) items() ([]menuItem, error) {
	var revision uint32
	var root struct {
		ID         int32
		Properties map[string]dbus.Variant
		Children   []dbus.Variant
	}
	if err := i.menu.Call(menuFace+".GetLayout", 0, int32(0), int32(-1), []string{}).Store(&revision, &root); err != nil {
		return nil, fmt.Errorf("read the menu: %w", err)
	}
	var items []menuItem
	for _, child := range root.Children {
		var it struct {
			ID         int32
			Properties map[string]dbus.Variant
			Children   []dbus.Variant
		}
		if err := dbus.Store([]any{child.Value()}, &it); err != nil {
			return nil, fmt.Errorf("read the menu: %w", err)
		}
		text := func(name string) string {
			value, _ := it.Properties[name].Value().(string)
			return value
		}
		is := func(name string) bool { // true unless it says otherwise
			value, told := it.Properties[name].Value().(bool)
			return !told || value
		}
		m := menuItem{id: it.ID, title: strings.ReplaceAll(text("label"), "__", "_")} // a single one marks a key
		switch {
		case !is("visible"):
		case text("type") == "separator":
			m.line = "—"
		case is("enabled"):
			m.line = m.title
		default:
			m.line = "(" + m.title + ")"
		}
		items = append(items, m)
	}
	return items, nil
}

// Menu is what can be seen of the icon's menu, on one line: a title in brackets cannot be clicked.
// It is "" when the icon is gone.
func (i *Icon) Menu() string {
	items, err := i.items()
	if err != nil {
		return ""
	}
	var lines []string
	for _, m := range items {
		if m.line != "" {
			lines = append(lines, m.line)
		}
	}
	return strings.Join(lines, " | ")
}

// Click clicks the item with that title, which must be there and enabled.
func (i *Icon) Click(title string) {
	i.s.t.Helper()
	items, err := i.items()
	if err != nil {
		i.s.t.Fatal(err)
	}
	for _, m := range items {
		if m.line == title {
			if err := i.menu.Call(menuFace+".Event", 0, m.id, "clicked", dbus.MakeVariant(int32(0)), uint32(0)).Err; err != nil {
				i.s.t.Fatalf("click %s: %v", title, err)
			}
			return
		}
	}
	i.s.t.Fatalf("there is no %s to click in %s", title, i.Menu())
}
