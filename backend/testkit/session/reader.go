package session

import (
	"slices"
	"strings"
	"sync"

	"github.com/godbus/dbus/v5"
)

// The protocol of a desktop's accessibility, AT-SPI.
const (
	busName        = "org.a11y.Bus"
	registryName   = "org.a11y.atspi.Registry"
	rootPath       = "/org/a11y/atspi/accessible/root"
	accessibleFace = "org.a11y.atspi.Accessible"
	textFace       = "org.a11y.atspi.Text"
	valueFace      = "org.a11y.atspi.Value"
)

// Numbers of AT-SPI's states.
const (
	stateFocused = 12
	stateShowing = 25
)

// No page is so deep or has so much in it: a tree that leads round in circles ends.
const deepest, mostThings = 80, 5000

// A Reader reads the windows of a desktop as a screen reader does: what a page says, and where the
// keyboard is. Programs must be started after it.
type Reader struct {
	s    *Session
	conn *dbus.Conn

	mu    sync.Mutex
	roots []object // one a program
}

// object is an accessible one, as the protocol names it.
type object struct {
	Bus  string
	Path dbus.ObjectPath
}

// A Thing is one part of a window: a button, a text, a progress bar.
type Thing struct {
	Role, Name string
	Text       string  // what it says, where it says more than its name
	Value      float64 // of a progress bar or a slider
	Focused    bool
}

// Button tells whether it is the button of that name.
func (t Thing) Button(name string) bool { return t.Role == "push button" && t.Name == name }

// Reader begins to read.
func (s *Session) Reader() *Reader {
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
	r := &Reader{s: s, conn: conn}
	for _, e := range []struct {
		methods any
		path    dbus.ObjectPath
		face    string
	}{
		{bus(s.bus), "/org/a11y/bus", busName},
		{socket{r}, rootPath, "org.a11y.atspi.Socket"},
		{registry{}, "/org/a11y/atspi/registry", registryName},
	} {
		if err := conn.Export(e.methods, e.path, e.face); err != nil {
			s.t.Fatal(err)
		}
	}
	for _, name := range []string{busName, registryName} {
		if got, err := conn.RequestName(name, dbus.NameFlagDoNotQueue); err != nil || got != dbus.RequestNameReplyPrimaryOwner {
			s.t.Fatalf("the reader has no name on the bus: %d, %v", got, err)
		}
	}
	s.readable = true
	return r
}

type bus string

// GetAddress tells where programs are read: the session's own bus does.
func (b bus) GetAddress() (string, *dbus.Error) { return string(b), nil }

type socket struct{ r *Reader }

// Embed is what a program calls that can be read.
func (k socket) Embed(program object) (object, *dbus.Error) {
	k.r.mu.Lock()
	defer k.r.mu.Unlock()
	k.r.roots = append(k.r.roots, program)
	return object{k.r.conn.Names()[0], rootPath}, nil
}

// Unembed is what it calls when it ends.
func (k socket) Unembed(program object) *dbus.Error {
	k.r.mu.Lock()
	defer k.r.mu.Unlock()
	k.r.roots = slices.DeleteFunc(k.r.roots, func(o object) bool { return o == program })
	return nil
}

type registry struct{}

type listener struct{ Bus, Event string }

// GetRegisteredEvents tells that somebody listens, or programs would not keep their trees.
func (registry) GetRegisteredEvents() ([]listener, *dbus.Error) {
	return []listener{{":1.0", "object:state-changed:focused"}}, nil
}

// Find gives the first thing that is shown and that is.
func (r *Reader) Find(is func(Thing) bool) (Thing, bool) {
	things := r.Read()
	if i := slices.IndexFunc(things, is); i >= 0 {
		return things[i], true
	}
	return Thing{}, false
}

// Says tells whether these words are shown.
func (r *Reader) Says(words string) bool {
	_, found := r.Find(func(t Thing) bool { return strings.Contains(t.Text, words) || strings.Contains(t.Name, words) })
	return found
}

// Focus is where the keyboard is: the innermost thing that has it.
func (r *Reader) Focus() (at Thing) {
	for _, t := range r.Read() {
		if t.Focused {
			at = t
		}
	}
	return at
}

// Read gives all that is shown, in the order of the page.
func (r *Reader) Read() []Thing {
	r.mu.Lock()
	roots := slices.Clone(r.roots)
	r.mu.Unlock()
	var things []Thing
	for _, root := range roots {
		r.walk(root, 0, &things)
	}
	return things
}

// walk goes through what is below o. What is gone meanwhile is left out: it is read again.
func (r *Reader) walk(o object, depth int, things *[]Thing) {
	if depth > deepest || len(*things) > mostThings {
		return
	}
	at := r.conn.Object(o.Bus, o.Path)
	var t Thing
	var states []uint32
	if at.Call(accessibleFace+".GetLocalizedRoleName", 0).Store(&t.Role) != nil || at.Call(accessibleFace+".GetState", 0).Store(&states) != nil {
		return
	}
	is := func(state int) bool { return len(states) > state/32 && states[state/32]>>(state%32)&1 == 1 }
	t.Focused = is(stateFocused)
	if name, err := at.GetProperty(accessibleFace + ".Name"); err == nil {
		t.Name, _ = name.Value().(string)
	}
	var faces []string
	if at.Call(accessibleFace+".GetInterfaces", 0).Store(&faces) != nil {
		return
	}
	if slices.Contains(faces, textFace) && at.Call(textFace+".GetText", 0, int32(0), int32(-1)).Store(&t.Text) == nil {
		t.Text = strings.TrimSpace(strings.ReplaceAll(t.Text, "\ufffc", "")) // stands for what lies inside
	}
	if slices.Contains(faces, valueFace) {
		if value, err := at.GetProperty(valueFace + ".CurrentValue"); err == nil {
			t.Value, _ = value.Value().(float64)
		}
	}
	if depth < 3 || is(stateShowing) || t.Focused {
		*things = append(*things, t)
	}
	if t.Role == "table" { // WebKitGTK 2.50 crashes when it is asked about a cell
		return
	}
	var children []object
	if at.Call(accessibleFace+".GetChildren", 0).Store(&children) != nil {
		return
	}
	if len(children) == 0 { // a window tells of the page in it only so
		var inner object
		if at.Call(accessibleFace+".GetChildAtIndex", 0, int32(0)).Store(&inner) == nil {
			children = append(children, inner)
		}
	}
	for _, child := range children {
		r.walk(child, depth+1, things)
	}
}
