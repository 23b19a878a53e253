package calls

import (
	"slices"
	"sync"

	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/script/vocabulary"
)

// unknownName finds the first name in an expression that nothing has.
func unknownName(e syntax.Expr) *Fault {
	switch e := e.(type) {
	case *syntax.Name:
		if !known(e) {
			return &Fault{Pos: e.Pos, What: "there is no name " + e.Word, Hint: "wsstack options lists those of options"}
		}
	case *syntax.Or:
		return firstUnknown(e.Parts)
	case *syntax.Unary:
		return unknownName(e.Operand)
	case *syntax.Binary:
		return firstUnknown([]syntax.Expr{e.Left, e.Right})
	case *syntax.List:
		return firstUnknown(e.Items)
	case *syntax.Struct:
		for _, f := range e.Fields {
			if fault := firstUnknown(append(f.Args[:len(f.Args):len(f.Args)], f.Value)); fault != nil {
				return fault
			}
		}
	}
	return nil
}

func firstUnknown(list []syntax.Expr) *Fault {
	for _, e := range list {
		if f := unknownName(e); f != nil {
			return f
		}
	}
	return nil
}

// knownWords are the words that known has found: looking through all kinds takes its time.
var knownWords sync.Map

// known reports whether anything has a name, in whatever place it stands.
func known(e *syntax.Name) bool {
	if _, ok := knownWords.Load(e.Word); ok {
		return true
	}
	ok := sought(e)
	if ok {
		knownWords.Store(e.Word, nil)
	}
	return ok
}

// sought looks for a name in all kinds, among errors, addresses and options, and in their levels.
func sought(e *syntax.Name) bool {
	for kind := vocabulary.Plain; kind <= vocabulary.Threshold; kind++ {
		for _, system := range []vocabulary.System{vocabulary.Winsock, vocabulary.Linux} {
			if _, err := (vocabulary.Evaluator{For: system}).Number(kind, e); err == nil {
				return true
			}
		}
	}
	if _, ok := vocabulary.ErrnoKnown(e.Word); ok {
		return true
	}
	if _, err := (vocabulary.Evaluator{}).IP(e); err == nil {
		return true
	}
	_, err := (vocabulary.Evaluator{}).Option(e, &syntax.Name{Pos: e.Pos, Word: "SO_ERROR"})
	return err == nil || slices.Contains(vocabulary.OptionNames(), e.Word)
}
