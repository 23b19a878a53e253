package mistake

import "math"

// maxWord is how many letters a word has at most that may be a name: Distance takes its time.
const maxWord = 1000

// Nearest is the name that somebody may have meant by a word, the first of those at the smallest
// Distance, and that distance. Without names it is "", at more than any distance, and so it is for
// a word that no name can be meant by, of more than 1,000 letters.
func Nearest(word string, names []string) (nearest string, distance int) {
	distance = math.MaxInt
	if len(word) > maxWord {
		return "", distance
	}
	for _, name := range names {
		if d := Distance(name, word); d < distance {
			nearest, distance = name, d
		}
	}
	return nearest, distance
}

// Distance is the number of letters to insert, delete or replace to make b of a (Levenshtein's
// distance), by which the name is found that somebody may have meant.
func Distance(a, b string) int {
	row := make([]int, len(b)+1) // distances from a[:i] to each b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
