package display

import (
	"strings"
	"testing"
)

func TestWhatIsMissingIsSaid(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		says string
	}{
		"nothing is set":                {nil, "there is no display here, neither DISPLAY nor WAYLAND_DISPLAY is set; run `mlxbar serve`"},
		"a way to draw and no screen":   {map[string]string{"GDK_BACKEND": "x11"}, "neither DISPLAY nor WAYLAND_DISPLAY is set"},
		"one that is not there":         {map[string]string{"DISPLAY": ":77"}, "cannot be opened with DISPLAY=:77: it is not there, or does not let this program in; run `mlxbar serve`"},
		"Wayland's":                     {map[string]string{"WAYLAND_DISPLAY": "wayland-7"}, "with WAYLAND_DISPLAY=wayland-7: "},
		"the other one is to be opened": {map[string]string{"WAYLAND_DISPLAY": "wayland-0", "GDK_BACKEND": "x11"}, "with WAYLAND_DISPLAY=wayland-0 GDK_BACKEND=x11: "},
	} {
		t.Run(name, func(t *testing.T) {
			err := missing(func(name string) string { return c.env[name] })
			if !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("it says %v, not %s", err, c.says)
			}
		})
	}
}
