package provider_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// A reach is a way to reach host b: a family of sockets, and the form of the
// addresses.
type reach struct {
	name   string
	family int32
	dual   bool
	format string // of an address with a last number
	far    string // an address without a route
	any    string
	other  string // of a family that such a socket doesn't take
}

var reaches = []reach{
	{"IPv4", wsa.AF_INET, false, "10.0.0.%d", "192.0.2.1", "0.0.0.0", "fd00::2"},
	{"IPv6", wsa.AF_INET6, false, "fd00::%d", "2001:db8::1", "::", "10.0.0.2"},
	{"IPv4 mapped", wsa.AF_INET6, true, "::ffff:10.0.0.%d", "::ffff:192.0.2.1", "::ffff:0.0.0.0", "10.0.0.2"},
	{"IPv6, dual stack", wsa.AF_INET6, true, "fd00::%d", "2001:db8::1", "::", "10.0.0.2"},
}

// A connectLab is two hosts in virtual time. b listens on port 80 and 81 and
// refuses others; nobody has the last number 9; there are no routes but to the
// link.
type connectLab struct {
	*testing.T
	reach
	nonblocking bool
	n           *simnet.Network
	p           *provider.Provider
}

// connectLabs plays fn in every way to connect, inside Do.
func connectLabs(t *testing.T, fn func(l *connectLab)) {
	for _, r := range reaches {
		for mode, nonblocking := range map[string]bool{"blocking": false, "non-blocking": true} {
			t.Run(r.name+", "+mode, func(t *testing.T) {
				n := simnet.New(t)
				a := n.HostConfig("a", stack.Config{Routes: []stack.Route{}, Addresses: prefixes("10.0.0.1/24", "10.0.0.3/24", "fd00::1/64", "fd00::3/64")})
				b := n.Host("b", "10.0.0.2/24", "fd00::2/64")
				n.Link(a, b, simnet.Delay(10*time.Millisecond))
				for _, port := range []string{"80", "81"} {
					_, err := b.Stack.Listen("tcp", ":"+port)
					require.NoError(t, err)
				}
				l := &connectLab{T: t, reach: r, nonblocking: nonblocking, n: n, p: startup(t, a.Stack)}
				require.NoError(t, n.Do("test", func() { fn(l) }))
			})
		}
	}
}

func (l *connectLab) socket() wsa.SOCKET {
	s, err := l.p.Socket(l.family, wsa.SOCK_STREAM, 0)
	assert.NoError(l, err)
	if l.dual {
		assert.NoError(l, setInt(l.p, s, wsa.IPPROTO_IPV6, wsa.IPV6_V6ONLY, 0))
	}
	_, err = l.p.Ioctl(s, wsa.FIONBIO, []byte{map[bool]byte{true: 1}[l.nonblocking], 0, 0, 0}, nil)
	assert.NoError(l, err)
	return s
}

// at is the address with a last number.
func (l *connectLab) at(number int, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(fmt.Sprintf(l.format, number)), port)
}

// connect returns the code of an attempt: of a non-blocking one WSAEWOULDBLOCK
// is checked, and the code is that of SO_ERROR when it is decided.
func (l *connectLab) connect(s wsa.SOCKET, to netip.AddrPort) error {
	err := l.p.Connect(s, to)
	if !l.nonblocking {
		return err
	}
	assert.Equal(l, wsa.WSAEWOULDBLOCK, err)
	assert.Equal(l, wsa.WSAEALREADY, l.p.Connect(s, to), "while it runs")
	_, w, e, err := l.p.Select(nil, []wsa.SOCKET{s}, []wsa.SOCKET{s}, -1)
	assert.NoError(l, err)
	assert.Equal(l, 1, len(w)+len(e))
	code, err := getInt(l.p, s, wsa.SOL_SOCKET, wsa.SO_ERROR)
	assert.NoError(l, err)
	assert.Equal(l, code == 0, len(w) == 1, "writable when it has succeeded")
	if code != 0 {
		return wsa.Errno(code)
	}
	return nil
}

// What connect returns on a non-blocking socket, row by row (API-connect).
func TestConnectTable(t *testing.T) {
	connectLabs(t, func(l *connectLab) {
		s := l.socket()
		assert.NoError(l, l.connect(s, l.at(2, 80)))
		assert.Equal(l, wsa.WSAEISCONN, l.p.Connect(s, l.at(2, 80)), "connected")
		assert.NoError(l, l.p.Shutdown(s, wsa.SD_SEND))
		assert.Equal(l, wsa.WSAEISCONN, l.p.Connect(s, l.at(2, 80)), "after shutdown")

		listener := l.socket()
		assert.NoError(l, l.p.Bind(listener, l.at(1, 700)))
		assert.NoError(l, l.p.Listen(listener, 5))
		assert.Equal(l, wsa.WSAEINVAL, l.p.Connect(listener, l.at(2, 80)), "listening")

		s = l.socket()
		for what, c := range map[string]struct {
			to   netip.AddrPort
			code wsa.Errno
		}{
			"port 0":       {l.at(2, 0), wsa.WSAEADDRNOTAVAIL},
			"any":          {netip.AddrPortFrom(netip.MustParseAddr(l.any), 80), wsa.WSAEADDRNOTAVAIL},
			"other family": {netip.AddrPortFrom(netip.MustParseAddr(l.other), 80), wsa.WSAEAFNOSUPPORT},
			"NULL":         {netip.AddrPort{}, wsa.WSAEFAULT},
			"no route":     {netip.AddrPortFrom(netip.MustParseAddr(l.far), 80), wsa.WSAENETUNREACH},
		} {
			assert.Equal(l, c.code, l.p.Connect(s, c.to), what)
			_, err := l.p.GetSockName(s)
			assert.Equal(l, wsa.WSAEINVAL, err, "%s: it isn't bound", what)
		}
		code, _ := getInt(l.p, s, wsa.SOL_SOCKET, wsa.SO_ERROR)
		assert.Zero(l, code, "EO-6")
		assert.NoError(l, l.connect(s, l.at(2, 80)), "after all that")
	})
}

// A socket whose connect has failed can try again. What connect chose is given
// back, what bind chose is kept, and so are the options: the SYN shows one.
func TestConnectAgainReplays(t *testing.T) {
	connectLabs(t, func(l *connectLab) {
		for _, bound := range []bool{false, true} {
			s := l.socket()
			assert.NoError(l, setInt(l.p, s, wsa.SOL_SOCKET, wsa.SO_RCVBUF, 9000))
			if bound {
				assert.NoError(l, l.p.Bind(s, l.at(3, 700)))
			}
			l.n.ClearTrace()
			start := l.n.Now()
			assert.Equal(l, wsa.WSAECONNREFUSED, l.connect(s, l.at(2, 79)))
			assert.Equal(l, 20*time.Millisecond, l.n.Now()-start)
			start = l.n.Now()
			assert.Equal(l, wsa.WSAETIMEDOUT, l.connect(s, l.at(9, 80)))
			assert.Equal(l, 21*time.Second, l.n.Now()-start)
			local, err := l.p.GetSockName(s)
			if bound {
				assert.Equal(l, l.at(3, 700), local)
			} else {
				assert.Equal(l, wsa.WSAEINVAL, err)
			}
			_, err = l.p.GetPeerName(s)
			assert.Equal(l, wsa.WSAENOTCONN, err)
			assert.NoError(l, l.connect(s, l.at(2, 80)))
			windows := map[int]int{}
			for _, line := range l.n.Trace() {
				if line.Segment.Flags == trace.SYN {
					windows[line.Window]++
				}
			}
			assert.Equal(l, map[int]int{9000: 1 + 5 + 1}, windows, "SYNs by window")
		}
	})
}

// The source of a connection without a bind is the first address of the
// interface whose prefix holds the peer; a wildcard is replaced by it, a
// specific address stays.
func TestConnectSource(t *testing.T) {
	connectLabs(t, func(l *connectLab) {
		wildcard := netip.MustParseAddr(l.any)
		for name, c := range map[string]struct {
			bind *netip.AddrPort
			want int
		}{
			"no bind":  {nil, 1},
			"wildcard": {ptr(netip.AddrPortFrom(wildcard, 700)), 1},
			"specific": {ptr(l.at(3, 701)), 3},
		} {
			s := l.socket()
			if c.bind != nil {
				assert.NoError(l, l.p.Bind(s, *c.bind), name)
			}
			assert.NoError(l, l.connect(s, l.at(2, 80)), name)
			local, err := l.p.GetSockName(s)
			assert.NoError(l, err)
			assert.Equal(l, l.at(c.want, 0).Addr(), local.Addr(), name)
			if c.bind != nil {
				assert.Equal(l, c.bind.Port(), local.Port(), name)
			}
		}
	})
}

// A pair of addresses that is in use is WSAEADDRINUSE at once, in every mode,
// and the socket is as it was.
func TestConnectBusy(t *testing.T) {
	connectLabs(t, func(l *connectLab) {
		var pair []wsa.SOCKET
		for range 2 {
			s := l.socket()
			assert.NoError(l, setInt(l.p, s, wsa.SOL_SOCKET, wsa.SO_REUSEADDR, 1))
			assert.NoError(l, l.p.Bind(s, l.at(1, 700)))
			pair = append(pair, s)
		}
		assert.NoError(l, l.connect(pair[0], l.at(2, 80)))
		assert.Equal(l, wsa.WSAEADDRINUSE, l.p.Connect(pair[1], l.at(2, 80)))
		code, _ := getInt(l.p, pair[1], wsa.SOL_SOCKET, wsa.SO_ERROR)
		assert.Zero(l, code)
		assert.NoError(l, l.connect(pair[1], l.at(2, 81)))
	})
}

// A dual-stack socket bound to an address of one family can't reach the other,
// and without dual stack a mapped address can't be reached at all.
func TestConnectAcrossFamilies(t *testing.T) {
	connectLabs(t, func(l *connectLab) {
		if l.family != wsa.AF_INET6 {
			return
		}
		mapped, six := netip.MustParseAddrPort("[::ffff:10.0.0.2]:80"), netip.MustParseAddrPort("[fd00::2]:80")
		for _, c := range []struct {
			bind string
			to   netip.AddrPort
		}{
			{"::ffff:10.0.0.1", six}, {"::ffff:0.0.0.0", six}, {"fd00::1", mapped}, {"::1", mapped},
		} {
			s := l.socket()
			err := l.p.Bind(s, netip.AddrPortFrom(netip.MustParseAddr(c.bind), 0))
			if !l.dual && netip.MustParseAddr(c.bind).Is4In6() {
				assert.Equal(l, wsa.WSAEADDRNOTAVAIL, err, c.bind)
				continue
			}
			assert.NoError(l, err, c.bind)
			assert.Equal(l, wsa.WSAENETUNREACH, l.p.Connect(s, c.to), c.bind)
		}
		s := l.socket()
		assert.NoError(l, l.p.Bind(s, netip.AddrPortFrom(netip.IPv6Unspecified(), 0)))
		if l.dual {
			assert.NoError(l, l.connect(s, mapped))
		} else {
			assert.Equal(l, wsa.WSAENETUNREACH, l.p.Connect(s, mapped))
		}
	})
}

func ptr[T any](v T) *T { return &v }
