package provider_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

func TestSocketArguments(t *testing.T) {
	l := newLab(t)
	for _, c := range []struct {
		af, typ, protocol int32
		want              error
	}{
		{wsa.AF_INET, wsa.SOCK_STREAM, 0, nil},
		{wsa.AF_INET, wsa.SOCK_STREAM, wsa.IPPROTO_TCP, nil},
		{wsa.AF_INET6, wsa.SOCK_STREAM, wsa.IPPROTO_TCP, nil},
		{wsa.AF_INET, wsa.SOCK_DGRAM, 0, nil},
		{wsa.AF_INET6, wsa.SOCK_DGRAM, wsa.IPPROTO_UDP, nil},
		{wsa.AF_IPX, wsa.SOCK_STREAM, wsa.IPPROTO_TCP, wsa.WSAEAFNOSUPPORT},
		{wsa.AF_APPLETALK, wsa.SOCK_STREAM, 0, wsa.WSAEAFNOSUPPORT},
		{wsa.AF_ATM, wsa.SOCK_DGRAM, 0, wsa.WSAEAFNOSUPPORT},
		{wsa.AF_IRDA, 77, 77, wsa.WSAEAFNOSUPPORT},
		{wsa.AF_INET, wsa.SOCK_RDM, 0, wsa.WSAESOCKTNOSUPPORT},
		{wsa.AF_INET6, wsa.SOCK_SEQPACKET, 0, wsa.WSAESOCKTNOSUPPORT},
		{wsa.AF_INET, wsa.SOCK_STREAM, wsa.IPPROTO_UDP, wsa.WSAEPROTOTYPE},
		{wsa.AF_INET6, wsa.SOCK_DGRAM, wsa.IPPROTO_TCP, wsa.WSAEPROTOTYPE},
		{wsa.AF_INET, wsa.SOCK_STREAM, wsa.IPPROTO_PGM, wsa.WSAEPROTONOSUPPORT},
		{wsa.AF_INET, wsa.SOCK_DGRAM, -1, wsa.WSAEPROTONOSUPPORT},
		{wsa.AF_INET, 0, wsa.IPPROTO_ICMP, wsa.WSAEPROTONOSUPPORT},
		{wsa.AF_INET6, 0, -1, wsa.WSAEPROTONOSUPPORT},
		{0, 0, 0, wsa.WSAEAFNOSUPPORT},
	} {
		s, err := l.a.Socket(c.af, c.typ, c.protocol)
		require.Equal(t, c.want, err, "%+v", c)
		require.Equal(t, c.want != nil, s == wsa.INVALID_SOCKET, "%+v", c)
	}
}

// Type 0 leaves the choice to the provider (page of WSASocket).
func TestSocketOfAnyType(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		for protocol, want := range map[int32]int32{
			0: wsa.SOCK_STREAM, wsa.IPPROTO_TCP: wsa.SOCK_STREAM, wsa.IPPROTO_UDP: wsa.SOCK_DGRAM,
		} {
			s, err := l.a.Socket(af, 0, protocol)
			require.NoError(t, err)
			typ, err := getInt(l.a, s, wsa.SOL_SOCKET, wsa.SO_TYPE)
			require.NoError(t, err)
			require.EqualValues(t, want, typ, "protocol %d", protocol)
		}
		const leaf = wsa.WSA_FLAG_MULTIPOINT_C_LEAF
		_, err := l.a.SocketEx(af, 0, wsa.IPPROTO_UDP, 0, leaf)
		require.NoError(t, err)
		_, err = l.a.SocketEx(af, 0, 0, 0, leaf)
		require.Equal(t, wsa.WSAEINVAL, err)
	})
}

// The group given at creation is ignored. Flags that the protocol can't
// honour are refused, and leave no socket behind.
func TestSocketExArguments(t *testing.T) {
	l := newLab(t)
	const leaf = wsa.WSA_FLAG_MULTIPOINT_C_LEAF | wsa.WSA_FLAG_MULTIPOINT_D_LEAF
	open := 0
	for _, c := range []struct {
		typ          int32
		group, flags uint32
		want         error
	}{
		{wsa.SOCK_STREAM, 0, 0, nil},
		{wsa.SOCK_STREAM, wsa.SG_UNCONSTRAINED_GROUP, wsa.WSA_FLAG_OVERLAPPED, nil},
		{wsa.SOCK_STREAM, 12345, wsa.WSA_FLAG_OVERLAPPED | wsa.WSA_FLAG_NO_HANDLE_INHERIT, nil},
		{wsa.SOCK_DGRAM, 0, leaf, nil},
		{wsa.SOCK_STREAM, 0, leaf, wsa.WSAEINVAL},
		{wsa.SOCK_DGRAM, 0, wsa.WSA_FLAG_MULTIPOINT_C_ROOT, wsa.WSAEINVAL},
		{wsa.SOCK_STREAM, 0, 0x8000_0000, wsa.WSAEINVAL},
		{wsa.SOCK_RDM, 0, 0x8000_0000, wsa.WSAESOCKTNOSUPPORT},
	} {
		s, err := l.a.SocketEx(wsa.AF_INET, c.typ, 0, c.group, c.flags)
		require.Equal(t, c.want, err, "%+v", c)
		if err != nil {
			require.Equal(t, wsa.INVALID_SOCKET, s)
			continue
		}
		open++
		id, err := getInt(l.a, s, wsa.SOL_SOCKET, wsa.SO_GROUP_ID)
		require.NoError(t, err)
		require.Zero(t, id)
	}
	require.Equal(t, open, l.sa.Stats().Sockets)
}

func TestHandles(t *testing.T) {
	l := newLab(t)
	seen := map[wsa.SOCKET]bool{}
	for range 1000 {
		s := l.stream(wsa.AF_INET)
		require.False(t, seen[s], "handle %v given out twice", s)
		require.NotZero(t, s)
		require.Zero(t, s%4)
		seen[s] = true
		require.NoError(t, l.a.CloseSocket(s))
		_, err := l.a.GetSockName(s)
		require.Equal(t, wsa.WSAENOTSOCK, err)
		require.Equal(t, wsa.WSAENOTSOCK, l.a.CloseSocket(s))
	}
	for _, s := range []wsa.SOCKET{0, 1, 4, wsa.INVALID_SOCKET, l.stream(wsa.AF_INET) + 1} {
		for call, err := range everyCall(l.a, s) {
			switch call {
			case "Socket", "SocketEx", "Select":
			default:
				require.Equal(t, wsa.WSAENOTSOCK, err, "%s(%v)", call, s)
			}
		}
	}
}

// AV-3: a handle of another provider is foreign, and its NULL optval doesn't
// count.
func TestForeignHandle(t *testing.T) {
	l := newLab(t)
	for range 10 {
		l.stream(wsa.AF_INET)
	}
	s := l.stream(wsa.AF_INET)
	require.Equal(t, wsa.WSAENOTSOCK, l.b.SetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, nil, 4))
	require.Equal(t, wsa.WSAENOTSOCK, l.b.CloseSocket(s))
	require.NoError(t, l.a.CloseSocket(s))
}

func TestLookupAllocatesNothing(t *testing.T) {
	l := newLab(t)
	s := l.bind(l.stream(wsa.AF_INET), addrA(wsa.AF_INET, 0))
	require.Zero(t, testing.AllocsPerRun(100, func() { l.a.GetSockName(s) }))
}

// Of concurrent closes one succeeds, and so it is when the stack has gone down.
func TestConcurrentClose(t *testing.T) {
	for _, down := range []bool{false, true} {
		l := newLab(t)
		var sockets []wsa.SOCKET
		for range 50 {
			sockets = append(sockets, l.connected(wsa.AF_INET))
		}
		for range 20_000 {
			sockets = append(sockets, l.datagram(wsa.AF_INET))
		}
		if down {
			require.NoError(t, l.sa.Close())
		}
		var wg sync.WaitGroup
		var succeeded atomic.Int32
		for range 8 {
			wg.Go(func() {
				for _, s := range sockets {
					switch err := l.a.CloseSocket(s); err {
					case nil:
						succeeded.Add(1)
					case wsa.WSAENOTSOCK:
					default:
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, len(sockets), succeeded.Load(), "down: %v", down)
	}
}

// LG-7: a non-blocking socket that lingers with data pending isn't closed, and
// goes on as before. LG-9: every way out of that. The data is pending because
// the link to the peer is closed.
func TestCloseWouldBlock(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		for name, out := range map[string]func(l *lab, s wsa.SOCKET, link *gate){
			"drained": func(l *lab, s wsa.SOCKET, link *gate) { link.open(); l.settle() },
			"SO_DONTLINGER": func(l *lab, s wsa.SOCKET, link *gate) {
				require.NoError(l, setInt(l.a, s, wsa.SOL_SOCKET, wsa.SO_DONTLINGER, 1))
			},
			"hard close": func(l *lab, s wsa.SOCKET, link *gate) { linger(l, l.a, s, 1, 0) },
			"shutdown":   func(l *lab, s wsa.SOCKET, link *gate) { require.NoError(l, l.a.Shutdown(s, wsa.SD_SEND)) },
			"blocking":   func(l *lab, s wsa.SOCKET, link *gate) { l.nonblocking(l.a, s, false) },
		} {
			l, link := newGatedLab(t)
			s, peer := l.pair(af)
			l.nonblocking(l.a, s, true)
			linger(l, l.a, s, 1, 3600)
			link.close()
			for _, part := range []string{"held", "more"} {
				_, err := l.a.Send(s, []byte(part), 0)
				require.NoError(t, err, name)
				require.Equal(t, wsa.WSAEWOULDBLOCK, l.a.CloseSocket(s), name)
				_, err = l.a.GetPeerName(s)
				require.NoError(t, err, name)
			}
			out(l, s, link)
			if name == "blocking" {
				require.NoError(t, l.blocked(func() error { return l.a.CloseSocket(s) }, link.open))
			} else {
				require.NoError(t, l.a.CloseSocket(s), name)
			}
			require.Equal(t, wsa.WSAENOTSOCK, l.a.CloseSocket(s), name)
			link.open()
			if name != "hard close" {
				require.Equal(t, "heldmore", l.recvAll(peer), name)
			}
		}
	})
}
