package desktop

// System gives the commands of macOS.
func System() Opener {
	return Opener{open: []string{"open"}, copy: [][]string{{"pbcopy"}}, hint: "pbcopy"}
}
