package testkit

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/png"
	"testing"
)

// Picture is a small PNG of one colour, in base64.
func Picture(t testing.TB, c color.Color) string {
	t.Helper()
	p := image.NewRGBA(image.Rect(0, 0, projectorSide, projectorSide))
	for i := range projectorSide * projectorSide {
		p.Set(i%projectorSide, i/projectorSide, c)
	}
	var out bytes.Buffer
	if err := png.Encode(&out, p); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(out.Bytes())
}
