package main

import (
	"slices"
	"strings"
)

// mostWords is how many words of a line are compared; a longer one is marked as a whole.
const mostWords = 200

// differences returns, for two lines that should be the same, a line of marks each, which stand below
// the words that the other line has not. Lines that have nothing in common have no marks. A line
// whose words are known to count has marks below these only; nil: all count.
func differences(a, b string, countA, countB map[string]bool) (marksA, marksB string) {
	x, y := strings.Split(a, " "), strings.Split(b, " ")
	if a == "" || b == "" || len(x) > mostWords || len(y) > mostWords {
		return "", ""
	}
	inX, inY := common(x, y)
	if !slices.Contains(inX, true) {
		return "", ""
	}
	return marks(x, inX, countA), marks(y, inY, countB)
}

// common finds the words of the longest common subsequence of two lists: which of each list
// are in it.
func common(x, y []string) (inX, inY []bool) {
	longest := make([][]int, len(x)+1) // of x[i:] and y[j:]
	for i := range longest {
		longest[i] = make([]int, len(y)+1)
	}
	for i := len(x) - 1; i >= 0; i-- {
		for j := len(y) - 1; j >= 0; j-- {
			if x[i] == y[j] {
				longest[i][j] = longest[i+1][j+1] + 1
			} else {
				longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			}
		}
	}
	inX, inY = make([]bool, len(x)), make([]bool, len(y))
	for i, j := 0, 0; i < len(x) && j < len(y); {
		switch {
		case x[i] == y[j]:
			inX[i], inY[j] = true, true
			i++
			j++
		case longest[i+1][j] >= longest[i][j+1]:
			i++
		default:
			j++
		}
	}
	return inX, inY
}

// marks is a line of marks below the words that aren't common, and count.
func marks(words []string, in []bool, count map[string]bool) string {
	var b strings.Builder
	for i, w := range words {
		mark := " "
		if !in[i] && (count == nil || count[w]) {
			mark = "^"
		}
		for range w {
			b.WriteString(mark)
		}
		b.WriteString(" ")
	}
	return strings.TrimRight(b.String(), " ")
}
