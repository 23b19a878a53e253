package peers

import "fmt"

// A mistake is what is wrong with a text, or with several that don't go together.
type mistake struct{ text, hint string }

// mistakef returns a mistake with one hint.
func mistakef(hint, format string, args ...any) error {
	return &mistake{fmt.Sprintf(format, args...), hint}
}

func (m *mistake) Error() string { return m.text }

// Hint says what would work.
func (m *mistake) Hint() string { return m.hint }

// ExitStatus is that of a command line that makes no sense.
func (m *mistake) ExitStatus() int { return 2 }
