// Package places puts what the API says of a place in a request into the words of a command line: whoever typed
// --limit knows no query.limit.
package places

import (
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// Alias is the annotation of a command under which it names, as in "models=model", a member that one of its flags fills
// under another name.
const Alias = "place"

var (
	place    = regexp.MustCompile(`\b(?:body|query|path)((?:\.[a-z0-9_]+|\[[0-9]+\])+): `)
	argument = regexp.MustCompile(`\b[A-Z]+\b`)
)

// In gives what is wrong with a command, with each place that one of its flags or arguments filled under that name.
// Others stay as they are.
func In(c *cobra.Command, text string) string {
	return place.ReplaceAllStringFunc(text, func(found string) string {
		if name := nameOf(c, place.FindStringSubmatch(found)[1]); name != "" {
			return name + ": "
		}
		return found
	})
}

// nameOf is the flag or argument that filled a member such as .limits.models[1]; "" if none did.
func nameOf(c *cobra.Command, member string) string {
	path, _, indexed := strings.Cut(member, "[")
	last := path[strings.LastIndexByte(path, '.')+1:]
	if indexed && !strings.HasSuffix(member, "]") { // of a list's entry a member: none of the commands has those
		return ""
	}
	if from, to, ok := strings.Cut(c.Annotations[Alias], "="); ok && from == last {
		last = to
	}
	if flag := c.Flag(strings.ReplaceAll(last, "_", "-")); flag != nil {
		return "--" + flag.Name
	}
	if name := strings.ToUpper(last); slices.Contains(argument.FindAllString(c.Use, -1), name) {
		return name
	}
	return ""
}
