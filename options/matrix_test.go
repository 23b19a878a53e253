package options

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/wsstack/wsstack/wsa"
)

// TestMatrix prints what every option answers on every kind of socket in every
// state, one file for each profile. A changed golden file is a change of
// behaviour: explain each line.
func TestMatrix(t *testing.T) {
	datadriven.Walk(t, "testdata/matrix", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			call, ok := map[string]func(spec, *fake) wsa.Errno{"get": matrixGet, "set": matrixSet}[d.Cmd]
			if !ok {
				d.Fatalf(t, "unknown command %q", d.Cmd)
			}
			var name string
			d.ScanArgs(t, "profile", &name)
			out := fmt.Sprintf("%-31s  %-7s  %-6s  raw\n", "", "TCP", "UDP")
			for _, s := range specs {
				out += matrixLine(t, s, matrixProfile(t, name), call)
			}
			return out
		})
	})
}

func matrixProfile(t *testing.T, name string) Profile {
	t.Helper()
	for p := range profileCount {
		if p.String() == name {
			return p
		}
	}
	t.Fatalf("no profile %q", name)
	return 0
}

func matrixGet(s spec, ep *fake) wsa.Errno {
	_, err := Get(ep.values(), ep, s.level, s.name, make([]byte, 700))
	return err
}

func matrixSet(s spec, ep *fake) wsa.Errno {
	value := s.value()
	if s.name == wsa.PVD_CONFIG {
		value = withWord(value, 2, uint32(ep.profile))
	}
	return Set(ep.values(), ep, s.level, s.name, value)
}

// matrixLine is one option on AF_INET, and on AF_INET6 where that differs.
func matrixLine(t *testing.T, s spec, p Profile, call func(spec, *fake) wsa.Errno) string {
	t.Helper()
	symbol := s.symbol
	if s.level == wsa.IPPROTO_IPV6 && !strings.HasPrefix(symbol, "IPV6_") {
		symbol += " (IPv6)" // the other level has the same name
	}
	var cells [2]string
	for i, family := range allFamilies {
		for _, kind := range allKinds {
			cells[i] += "  " + matrixCell(t, s, call, fake{family: family, kind: kind, profile: p})
		}
	}
	line := fmt.Sprintf("%-31s%s\n", symbol, cells[0])
	if cells[0] != cells[1] {
		line += fmt.Sprintf("%31s%s\n", "AF_INET6", cells[1])
	}
	return line
}

// matrixCell has a letter for each state, in their order, and of a stream one
// more for a connection that keep-alive has dropped.
func matrixCell(t *testing.T, s spec, call func(spec, *fake) wsa.Errno, socket fake) string {
	t.Helper()
	cell := ""
	add := func(state State, dropped bool) {
		ep := newFake(socket.kind)
		ep.family, ep.profile, ep.state = socket.family, socket.profile, state
		ep.connected, ep.mss = state == Connected, 1460
		if dropped {
			ep.dropped, ep.getErr, ep.setErr = true, wsa.WSAENOTCONN, wsa.WSAENOTCONN
		}
		err := call(s, ep)
		letter, ok := matrixLetters[err]
		if !ok {
			t.Fatalf("%s answers %v, which has no letter", s.symbol, err)
		}
		cell += letter
	}
	for _, state := range allStates {
		add(state, false)
	}
	if socket.kind == Stream {
		add(Dead, true)
	}
	return cell
}

// matrixLetters are explained at the top of each file.
var matrixLetters = map[wsa.Errno]string{
	0: ".", wsa.WSAEINVAL: "I", wsa.WSAENOPROTOOPT: "-", wsa.WSAENOTCONN: "C", wsa.WSAENETRESET: "R",
	wsa.WSAEADDRNOTAVAIL: "A", wsa.WSAEFAULT: "F", wsa.WSAENOBUFS: "N",
}
