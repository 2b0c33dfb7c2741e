// Package canary holds words that nothing may keep, requests that carry them to every endpoint,
// provider and failure, and the search for them. A new endpoint, provider or failure joins by a
// line of its own in asks.go.
package canary

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// stemLength is how much of a word is enough to be found: one that was cut short is as bad.
const stemLength = 12

// Words are those of one test. All begin with the same letters, which are in no other text.
type Words struct {
	stem string
	more []string
}

// New makes words that no other test has.
func New() *Words { return &Words{stem: "zq" + strings.ToLower(rand.Text())[:stemLength-2]} }

// Word gives the word for a purpose, of letters and digits alone.
func (w *Words) Word(purpose string) string { return w.stem + purpose }

// Also has the search find a word that the test did not choose.
func (w *Words) Also(word string) { w.more = append(w.more, word) }

// Search says where the words are, as they are or written in one of the ways in which programs
// write bytes.
func (w *Words) Search(places ...Place) (found []string) {
	for _, p := range places {
		lower := bytes.ToLower(p.Text) // once for all words: a place may hold hundreds of megabytes
		for _, word := range append([]string{w.stem}, w.more...) {
			for form, needle := range forms(word) {
				text := p.Text
				if form == "" {
					text, needle = lower, strings.ToLower(needle)
				}
				if at := bytes.Index(text, []byte(needle)); at >= 0 {
					found = append(found, fmt.Sprintf("%s holds a word%s: …%q…", p.Name, form, text[max(0, at-80):min(len(text), at+len(needle)+40)]))
				}
			}
		}
	}
	return found
}

func forms(word string) map[string]string {
	all := map[string]string{
		"":               word,
		" in hex":        hex.EncodeToString([]byte(word)),
		" as numbers":    strings.Trim(fmt.Sprint([]byte(word)), "[]"),
		" as numbers, c": strings.ReplaceAll(strings.Trim(fmt.Sprint([]byte(word)), "[]"), " ", ","),
	}
	for shift := range 3 { // of what stands before it in the same text
		encoded := base64.StdEncoding.EncodeToString(append(make([]byte, shift), word...))
		// Its first letters depend on what stands before it, its last on what stands behind.
		all[fmt.Sprintf(" in base64 (%d)", shift)] = strings.TrimRight(encoded, "=")[4 : len(strings.TrimRight(encoded, "="))-1]
	}
	return all
}
