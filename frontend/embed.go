// Package frontend holds the built pages, for the server and for the window.
//
// `npm run build` writes them to dist/. Without that build the package still compiles, so that no
// Go test needs Node; Built then says false.
package frontend

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var files embed.FS

// Dist is the built site, index.html at its root.
func Dist() fs.FS {
	dist, err := fs.Sub(files, "dist")
	if err != nil {
		panic(err) // "dist" is a valid path; see fs.ValidPath
	}
	return dist
}

// Built says whether the pages were built before this program was.
func Built() bool {
	_, err := fs.Stat(Dist(), "index.html")
	return err == nil
}
