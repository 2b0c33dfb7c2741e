package display

// #cgo pkg-config: gtk+-3.0
// #include <gtk/gtk.h>
import "C"

// opens asks the library that draws, on the thread that will draw. Whoever asks it again later is given
// the same display.
func opens() bool { return C.gtk_init_check(nil, nil) != 0 }
