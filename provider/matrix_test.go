package provider_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// matrixStates are the columns of options/testdata/matrix that sockets of TCP,
// UDP and raw sockets get into here.
var matrixStates = [][6]func(l *lab, af int32) wsa.SOCKET{
	{
		(*lab).stream,
		func(l *lab, af int32) wsa.SOCKET { return l.bind(l.stream(af), addrA(af, 0)) },
		(*lab).listening, (*lab).connecting, (*lab).connected, (*lab).reset,
	},
	{
		(*lab).datagram,
		func(l *lab, af int32) wsa.SOCKET { return l.bind(l.datagram(af), addrA(af, 0)) },
		nil, nil, (*lab).udpConnected, nil,
	},
	{rawSocket},
}

func rawSocket(l *lab, af int32) wsa.SOCKET {
	l.Helper()
	protocol := int32(wsa.IPPROTO_ICMP)
	if af == wsa.AF_INET6 {
		protocol = wsa.IPPROTO_ICMPV6
	}
	s, err := l.a.Socket(af, wsa.SOCK_RAW, protocol)
	require.NoError(l, err)
	return s
}

// matrixCells reads the answers to a call, "get" or "set": for each option the
// letters of TCP, UDP and raw sockets of a family.
func matrixCells(t *testing.T, call string, profile options.Profile, af int32) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "options", "testdata", "matrix", profile.String()+".txt"))
	require.NoError(t, err)
	_, answers, _ := strings.Cut(string(text), "\n"+call+" profile=")
	answers, _, _ = strings.Cut(answers, "\nset profile=")
	cells, last := map[string][]string{}, ""
	for line := range strings.Lines(answers) {
		f := strings.Fields(strings.ReplaceAll(line, " (IPv6)", "_6"))
		switch {
		case len(f) != 4:
		case f[0] != "AF_INET6":
			last = f[0]
			cells[last] = f[1:]
		case af == wsa.AF_INET6:
			cells[last] = f[1:]
		}
	}
	return cells
}

// matrixSymbol is the name of an option in the matrix, without a space.
func matrixSymbol(o options.Info) string {
	if o.Level == wsa.IPPROTO_IPV6 && !strings.HasPrefix(o.Symbol, "IPV6_") {
		return o.Symbol + "_6"
	}
	return o.Symbol
}

var matrixLetters = map[string]string{
	"ok": ".", "INVAL": "I", "NOPROTOOPT": "-", "NOTCONN": "C", "NETRESET": "R", "ADDRNOTAVAIL": "A",
}

// The golden matrix is that of the options table. Sockets answer as it says, gets
// always, and sets as far as the value doesn't matter.
func TestMatrixOfSockets(t *testing.T) {
	for _, profile := range []options.Profile{options.Documented, options.Windows, options.Legacy} {
		t.Run(profile.String(), func(t *testing.T) {
			families(t, func(t *testing.T, af int32) {
				l := newLabOf(t, profile)
				gets, sets := matrixCells(t, "get", profile, af), matrixCells(t, "set", profile, af)
				for kind, states := range matrixStates {
					for state, make := range states {
						if make == nil {
							continue
						}
						s := make(l, af)
						l.checkMatrix(s, func(symbol string) (get, set byte) { return gets[symbol][kind][state], sets[symbol][kind][state] })
						require.NoError(t, l.a.CloseSocket(s))
					}
				}
			})
		})
	}
}

// checkMatrix makes every get, then every set, with more bytes than any option
// needs.
func (l *lab) checkMatrix(s wsa.SOCKET, want func(symbol string) (get, set byte)) {
	l.Helper()
	table := options.Table()
	for _, o := range table {
		optlen := int32(700)
		err := l.a.GetSockOpt(s, o.Level, o.Number, optvalOf(700), &optlen)
		get, _ := want(matrixSymbol(o))
		require.Equal(l, string(get), matrixLetters[codeName(err)], "get %s: %v", o.Symbol, err)
	}
	for _, o := range table {
		// Zeros, for 1 ms of TCP_MAXRTMS would end the connect.
		err := l.a.SetSockOpt(s, o.Level, o.Number, make([]byte, 700), 700)
		switch _, set := want(matrixSymbol(o)); set {
		case '-', 'I':
			require.Equal(l, string(set), matrixLetters[codeName(err)], "set %s: %v", o.Symbol, err)
		default:
			require.NotEqual(l, wsa.WSAENOPROTOOPT, err, "set %s", o.Symbol)
		}
	}
}
