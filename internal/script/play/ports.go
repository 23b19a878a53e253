package play

import (
	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/script/vocabulary"
)

// portOf is the port of an address in a script; false: it has none, or one that the stack chooses.
func portOf(e syntax.Expr) (uint16, bool) {
	a, chosen, err := vocabulary.Evaluator{}.Address(e)
	return a.Port(), err == nil && !chosen && a.Port() != 0
}
