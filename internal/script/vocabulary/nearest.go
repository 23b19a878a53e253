package vocabulary

import (
	"slices"
	"strings"

	"github.com/wsstack/wsstack/internal/mistake"
)

// meant is a hint with the name that somebody may have meant by a word, or else the hint otherwise.
func meant(word, otherwise string, names []string) string {
	names = slices.Sorted(slices.Values(names))
	capitals := make([]string, len(names)) // as which case makes no difference
	for i, name := range names {
		capitals[i] = strings.ToUpper(name)
	}
	near, distance := mistake.Nearest(strings.ToUpper(word), capitals)
	if distance > len(word)/2 {
		return otherwise
	}
	return "did you mean " + names[slices.Index(capitals, near)] + "?"
}
