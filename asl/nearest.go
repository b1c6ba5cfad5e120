package asl

import "strings"

// Nearest returns the name that was likely meant by one that does not exist: the one
// with the fewest letters wrong, whatever their case. It returns "" when more than a
// third of the letters are wrong in all of them. Of two that are equally near it is
// the first in alphabetical order.
func Nearest(name string, names []string) string {
	best, distance := "", len(name)/3+1
	for _, candidate := range names {
		d := edits(strings.ToLower(name), strings.ToLower(candidate), distance+1)
		if d < distance || d == distance && best != "" && candidate < best {
			best, distance = candidate, d
		}
	}
	return best
}

// edits counts the letters to be put in, taken out, changed or swapped with their
// neighbour to make one text of the other (the optimal string alignment distance);
// most stands for all counts from there. Row i of the table has the distances of the
// first i letters of a to each beginning of b; it needs the two rows before it.
func edits(a, b string, most int) int {
	from, to := []rune(a), []rune(b)
	if len(from)-len(to) >= most || len(to)-len(from) >= most {
		return most
	}
	var before []int
	last := make([]int, len(to)+1)
	for j := range last {
		last[j] = j
	}
	for i := range from {
		row := make([]int, len(to)+1)
		row[0] = i + 1
		for j := range to {
			change := last[j]
			if from[i] != to[j] {
				change++
			}
			row[j+1] = min(change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && from[i] == to[j-1] && from[i-1] == to[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return min(last[len(to)], most)
}
