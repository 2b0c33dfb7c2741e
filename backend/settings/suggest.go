package settings

import (
	"maps"
	"slices"
	"strings"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// unknownField says what to write instead of a field that does not exist.
func unknownField(at, key string, right []string) string {
	if where, was := moved[at]; was {
		return where
	}
	best, distance := "", 3 // up to two slips are a misspelling
	for _, name := range right {
		if d := edits(strings.ToLower(key), name); d < distance && d < len(name) {
			best, distance = name, d
		}
	}
	if best != "" {
		return "is unknown; did you mean " + best + "?"
	}
	return "is unknown; there is " + strings.Join(right, ", ")
}

// edits counts the letters to insert, delete or replace to turn a into b.
func edits(a, b string) int {
	from, to := []rune(a), []rune(b)
	if len(from) > 64 {
		return len(from)
	}
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range from {
		diagonal := row[0]
		row[0] = i + 1
		for j, y := range to {
			cost := diagonal
			if x != y {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(to)]
}
