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

func matrixCells(e *Env, cells *[6]string, typ int32, second string) {
	if e.A == nil {
		e.Pair()
	}
	make := func(cell int) wsa.SOCKET {
		s := e.Socket(e.P, typ)
		switch cell / 2 {
		case 1:
			e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_REUSEADDR, 1)
		case 2:
			e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_EXCLUSIVEADDRUSE, 1)
		}
		return s
	}
	bind := func(s wsa.SOCKET, cell int) error {
		if cell%2 == 0 {
			return e.P.Bind(s, e.Any(700))
		}
		return e.P.Bind(s, e.Addr(1, 700))
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
			e.Code("CloseSocket", e.P.CloseSocket(a), 0)
			e.Code("CloseSocket", e.P.CloseSocket(b), 0)
		}
	}
	e.Notef("36 cells as printed")
}

func init() {
	ruScenarios = append(ruScenarios,
		Scenario{ID: "RU-4", Title: "one user, TCP", Source: "W-REUSE", Run: matrixScenario(&sameUserCells, wsa.SOCK_STREAM, "first")},
		Scenario{ID: "RU-4", Title: "one user, UDP", Source: "W-REUSE", Run: matrixScenario(&sameUserCells, wsa.SOCK_DGRAM, "first")},
		Scenario{ID: "RU-5", Title: "two users, TCP", Source: "W-REUSE", Run: matrixScenario(&otherUserCells, wsa.SOCK_STREAM, "second")},
		Scenario{ID: "RU-5", Title: "two users, UDP", Source: "W-REUSE", Run: matrixScenario(&otherUserCells, wsa.SOCK_DGRAM, "second")},
		Scenario{ID: "RU-1", Title: "sampled at bind only", Source: "S-SET", Once: true, Run: func(e *Env) {
			e.Pair()
			a, b := e.Stream(), e.Stream()
			e.Code("Bind", e.P.Bind(a, e.Addr(1, 700)), 0)
			e.Set(e.P, a, wsa.SOL_SOCKET, wsa.SO_REUSEADDR, 1)
			Equal(e, "SO_REUSEADDR", e.Get(e.P, a, wsa.SOL_SOCKET, wsa.SO_REUSEADDR), 1)
			e.Set(e.P, b, wsa.SOL_SOCKET, wsa.SO_REUSEADDR, 1)
			e.Code("a second bind", e.P.Bind(b, e.Addr(1, 700)), wsa.WSAEACCES)
			e.Notef("set after bind: success, reads 1, and a second bind is still WSAEACCES")
		}},
		Scenario{ID: "RU-2", Title: "different addresses and protocols", Source: "W-REUSE", Once: true, Run: func(e *Env) {
			e.Pair()
			for _, addr := range []string{"10.0.0.1:700", "127.0.0.1:700", "127.0.0.2:700"} {
				for _, typ := range []int32{wsa.SOCK_STREAM, wsa.SOCK_DGRAM} {
					s := e.Socket(e.P, typ)
					e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_EXCLUSIVEADDRUSE, 1)
					e.Code("Bind "+addr, e.P.Bind(s, addrOf(addr)), 0)
				}
			}
			e.Notef("six exclusive binds of one port: three addresses, two protocols")
		}},
		Scenario{ID: "RU-15", Title: "needless SO_REUSEADDR", Source: "S-SET", Run: func(e *Env) {
			e.Pair()
			s := e.Stream()
			e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_REUSEADDR, 1)
			e.Code("Bind", e.P.Bind(s, e.Addr(1, 700)), 0)
			e.Code("Listen", e.P.Listen(s, 5), 0)
			e.Notef("harmless")
		}},
	)
}
