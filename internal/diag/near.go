package diag

import (
	"strings"
	"unicode/utf8"
)

// Near gives the candidate that name was probably meant to be, or "" when
// none is near enough: one slip in a short name, up to three in a long one.
// Case, and "-" against "_", count for nothing. Among equally near ones the first wins.
func Near(name string, candidates []string) string {
	folded := foldName(name)
	limit := min(3, max(1, utf8.RuneCountInString(name)/3))
	best, bestAt := "", limit+1
	for _, c := range candidates {
		if c == name {
			continue
		}
		if d := editDistance(folded, foldName(c), bestAt); d < bestAt {
			best, bestAt = c, d
		}
	}
	return best
}

func foldName(s string) string {
	return strings.ReplaceAll(strings.ToLower(s), "-", "_")
}

// editDistance counts insertions, deletions, replacements and swaps of
// neighbours; it may stop with any number >= limit.
func editDistance(a, b string, limit int) int {
	x, y := []rune(a), []rune(b)
	if d := len(x) - len(y); d >= limit || -d >= limit {
		return limit
	}
	before := make([]int, len(y)+1)
	prev := make([]int, len(y)+1)
	row := make([]int, len(y)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev, row = prev, row, before
	}
	return prev[len(y)]
}
