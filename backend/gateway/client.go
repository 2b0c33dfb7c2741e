package gateway

import "strings"

const maxClient = 64

// clientOf takes the product out of a User-Agent (RFC 9110, 10.1.5): its first
// word, with the version where that stands apart, as in "OpenAI/Python 2.1.0".
func clientOf(userAgent string) string {
	product, rest, _ := strings.Cut(strings.TrimSpace(userAgent), " ")
	version, _, _ := strings.Cut(rest, " ")
	if version != "" && version[0] >= '0' && version[0] <= '9' {
		product += " " + version
	}
	return printable(product)
}

// printable keeps a header from bringing control characters into the audit, and
// the audit from keeping the rest of the header in memory.
func printable(s string) string {
	if len(s) > maxClient {
		s = s[:maxClient]
	}
	return strings.Clone(strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return -1
		}
		return r
	}, s))
}
