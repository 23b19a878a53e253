package conform

import (
	"fmt"

	"github.com/wsstack/wsstack/wsa"
)

// The bind matrix, as printed: rows are the first bind, columns the second, in
// the order default, reuse, exclusive, each wildcard and specific.
var (
	sameUserCells = [6]string{
		"U OK A OK U OK",
		"OK U OK A U U",
		"U OK OK OK U OK",
		"OK U OK OK U U",
		"U A A A U A",
		"OK U OK A U U",
	}
	otherUserCells = [6]string{
		"U A A A U A",
		"OK U OK A U U",
		"U A OK OK U A",
		"OK U OK OK U U",
		"U A A A U A",
		"OK U OK A U U",
	}
	cellNames = [6]string{"default W", "default S", "reuse W", "reuse S", "exclusive W", "exclusive S"}
)

// matrixScenario plays all cells of a matrix with sockets of a type.
func matrixScenario(cells *[6]string, typ int32, second string) func(*Env) {
	return func(e *Env) { matrixCells(e, cells, typ, second) }
}

// matrixCells binds two sockets in each cell of a matrix.
func matrixCells(e *Env, cells *[6]string, typ int32, second string) {
	if e.A == nil {
		e.Pair()
	}
	make := func(cell int) handle {
		s := e.socket(e.P, typ)
		switch cell / 2 {
		case 1:
			s.set(wsa.SOL_SOCKET, wsa.SO_REUSEADDR, 1)
		case 2:
			s.set(wsa.SOL_SOCKET, wsa.SO_EXCLUSIVEADDRUSE, 1)
		}
		return s
	}
	bind := func(s handle, cell int) error {
		if cell%2 == 0 {
			return e.P.Bind(s.s, e.Any(700))
		}
		return e.P.Bind(s.s, e.Addr(1, 700))
	}
	for row := range 6 {
		var want [6]string
		fmt.Sscan(cells[row], &want[0], &want[1], &want[2], &want[3], &want[4], &want[5])
		for column := range 6 {
			e.P.SetOwner("first")
			a := make(row)
			e.Code("the first bind", bind(a, row), 0)
			e.P.SetOwner(second)
			b := make(column)
			code := map[string]wsa.Errno{"OK": 0, "U": wsa.WSAEADDRINUSE, "A": wsa.WSAEACCES}[want[column]]
			e.Code(cellNames[row]+", then "+cellNames[column], bind(b, column), code)
			a.close()
			b.close()
		}
	}
	e.Notef("36 cells as printed")
}

// legacyCells is RU-6 as printed: default, reuse, exclusive.
var legacyCells = [3]string{"U OK U", "U OK U", "U A U"}

// expanded gives each cell of RU-6 for wildcard and specific addresses.
func expanded(rows [3]string) *[6]string {
	var out [6]string
	for i, row := range rows {
		var c [3]string
		fmt.Sscan(row, &c[0], &c[1], &c[2])
		out[2*i] = fmt.Sprint(c[0], " ", c[0], " ", c[1], " ", c[1], " ", c[2], " ", c[2])
		out[2*i+1] = out[2*i]
	}
	return &out
}

// bindCell makes a socket of A as a row or column of the matrix says.
func (e *Env) bindCell(typ int32, cell int) handle {
	s := e.option(typ, [][]int32{nil, {wsa.SO_REUSEADDR}, {wsa.SO_EXCLUSIVEADDRUSE}}[cell/2]...)
	addr := e.Any(700)
	if cell%2 == 1 {
		addr = e.Addr(1, 700)
	}
	s.as("Bind " + cellNames[cell]).bind(addr)
	return s
}
