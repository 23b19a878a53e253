package vocabulary

import (
	"strings"

	"github.com/wsstack/wsstack/internal/mistake"
)

// meant is a hint with the name that somebody may have meant by a word, or else the hint otherwise.
func meant(word, otherwise string, names []string) string {
	best, distance := "", len(word)/2+1
	for _, name := range names {
		d := mistake.Distance(strings.ToUpper(word), strings.ToUpper(name))
		if d < distance || d == distance && best != "" && name < best {
			best, distance = name, d
		}
	}
	if best == "" {
		return otherwise
	}
	return "did you mean " + best + "?"
}
