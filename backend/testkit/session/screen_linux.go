package session

import (
	"encoding/binary"
	"image/color"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A Screen is what a session shows, at the moment of each look: Xvfb's own memory, so that a look costs
// next to nothing and waits for nobody.
type Screen struct {
	memory                       []byte
	pixels, perLine, width, rows int
}

// Where numbers stand in the head of an image of the format XWD. They are big-endian.
const (
	xwdHead    = 0
	xwdWidth   = 16
	xwdHeight  = 20
	xwdPerLine = 48
	xwdColours = 76
	perColour  = 12
	perPixel   = 4
)

// Screen begins to look.
func (s *Session) Screen() *Screen {
	s.t.Helper()
	f, err := os.Open(filepath.Join(s.dir, "Xvfb_screen0"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		s.t.Fatal(err)
	}
	memory, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := unix.Munmap(memory); err != nil {
			s.t.Error(err)
		}
	})
	number := func(at int) int { return int(binary.BigEndian.Uint32(memory[at:])) }
	return &Screen{
		memory: memory, pixels: number(xwdHead) + number(xwdColours)*perColour,
		perLine: number(xwdPerLine), width: number(xwdWidth), rows: number(xwdHeight),
	}
}

// At is the colour of a pixel.
func (v *Screen) At(x, y int) color.RGBA {
	if x < 0 || y < 0 || x >= v.width || y >= v.rows {
		return color.RGBA{}
	}
	p := v.memory[v.pixels+y*v.perLine+x*perPixel:]
	return color.RGBA{p[2], p[1], p[0], 0xff}
}
