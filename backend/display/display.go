// Package display says why nothing can be drawn on a screen, in the place of the libraries that draw:
// one panics without a screen, the other ends the program in the middle of its work.
package display

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Check says what is missing where no window and no icon can be shown, and what does without.
func Check() error {
	if opens() {
		return nil
	}
	return missing(os.Getenv)
}

// instead is what a person has without a screen.
const instead = "run `mlxbar serve`, which needs none, and open the address that it prints in a browser"

func missing(getenv func(string) string) error {
	var asked []string
	for _, name := range []string{"DISPLAY", "WAYLAND_DISPLAY", "GDK_BACKEND"} {
		if value := getenv(name); value != "" {
			asked = append(asked, name+"="+value)
		}
	}
	if getenv("DISPLAY") == "" && getenv("WAYLAND_DISPLAY") == "" {
		return errors.New("there is no display here, neither DISPLAY nor WAYLAND_DISPLAY is set; " + instead)
	}
	return fmt.Errorf("the display cannot be opened with %s: it is not there, or does not let this program in; %s", strings.Join(asked, " "), instead)
}
