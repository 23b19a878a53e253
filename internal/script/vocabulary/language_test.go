package vocabulary

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/script/syntax"
)

// The evaluators that the callers of this package use.
var (
	toStack   = Evaluator{For: Winsock, Digits: Linux}
	toWinsock = Evaluator{}
	toKernel  = Evaluator{For: Linux, Digits: Linux}
)

// exprs reads expressions, as the arguments of a call.
func exprs(t testing.TB, text string) []syntax.Expr {
	t.Helper()
	s, err := syntax.Parse("test", []byte("0 close("+text+") = 0\n"), syntax.Options{})
	require.NoError(t, err, text)
	return s.Events[0].Action.(*syntax.Call).Args
}

// expr reads one expression.
func expr(t testing.TB, text string) syntax.Expr {
	t.Helper()
	list := exprs(t, text)
	require.Len(t, list, 1, text)
	return list[0]
}

// condition reads an Assert.
func condition(t testing.TB, text string) *syntax.Assert {
	t.Helper()
	s, err := syntax.Parse("test", []byte("0 assert "+text+"\n"), syntax.Options{})
	require.NoError(t, err, text)
	return s.Events[0].Action.(*syntax.Assert)
}

// requireMistake requires an *Error with a place, what is wrong, and a hint.
func requireMistake(t testing.TB, err error, problem, hint string) {
	t.Helper()
	var m *Error
	require.ErrorAs(t, err, &m, "%s", problem)
	require.Contains(t, m.Problem, problem)
	require.Contains(t, m.Advice, hint)
	require.NotEmpty(t, m.Advice, "the hint of %q", m.Problem)
	require.NotZero(t, m.Pos, "the place of %q", m.Problem)
}
