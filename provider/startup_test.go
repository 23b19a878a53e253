package provider_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

func TestStartupVersions(t *testing.T) {
	st := newStack(t, stack.Config{})
	for _, c := range []struct {
		requested, settled uint16
		err                error
	}{
		{0x0001, 0x0001, nil}, // 1.0
		{0x0101, 0x0101, nil},
		{0x0201, 0x0101, nil}, // 1.2 never was
		{0x0002, 0x0002, nil},
		{0x0102, 0x0102, nil},
		{0x0202, 0x0202, nil},
		{0x0302, 0x0202, nil},
		{0x0003, 0x0202, nil}, // the highest there is
		{0x0000, 0, wsa.WSAVERNOTSUPPORTED},
		{0x0900, 0, wsa.WSAVERNOTSUPPORTED}, // 0.9
	} {
		p, err := provider.Startup(st, c.requested)
		if c.err != nil {
			require.Equal(t, c.err, err, "%#04x", c.requested)
			require.Nil(t, p)
			continue
		}
		require.NoError(t, err, "%#04x", c.requested)
		require.Equal(t, c.settled, p.Version(), "%#04x", c.requested)
		require.NoError(t, p.Cleanup())
	}
}

func TestStartupErrors(t *testing.T) {
	_, err := provider.Startup(nil, wsa.WINSOCK_VERSION)
	require.Equal(t, wsa.WSAEFAULT, err)
	st := newStack(t, stack.Config{})
	require.NoError(t, st.Close())
	_, err = provider.Startup(st, wsa.WINSOCK_VERSION)
	require.Equal(t, wsa.WSASYSNOTREADY, err)
	_, err = provider.Startup(st, 0)
	require.Equal(t, wsa.WSASYSNOTREADY, err)
}

// everyCall makes each call of the SPI once, on a handle, with arguments that
// have faults of their own.
func everyCall(p *provider.Provider, s wsa.SOCKET) map[string]error {
	errs := map[string]error{
		"Bind":        p.Bind(s, netip.AddrPort{}),
		"Listen":      p.Listen(s, -1),
		"Connect":     p.Connect(s, netip.AddrPort{}),
		"Shutdown":    p.Shutdown(s, 3),
		"Disconnect":  p.Disconnect(s, 1, 1),
		"SetSockOpt":  p.SetSockOpt(s, -1, -1, nil, -1),
		"GetSockOpt":  p.GetSockOpt(s, -1, -1, nil, nil),
		"CloseSocket": p.CloseSocket(s),
	}
	_, errs["Socket"] = p.Socket(-1, -1, -1)
	_, errs["SocketEx"] = p.SocketEx(-1, -1, -1, 0, 0)
	_, _, errs["Accept"] = p.Accept(s)
	_, errs["Send"] = p.Send(s, nil, -1)
	_, errs["Recv"] = p.Recv(s, nil, -1)
	_, errs["SendTo"] = p.SendTo(s, nil, -1, netip.AddrPort{})
	_, _, errs["RecvFrom"] = p.RecvFrom(s, nil, -1)
	_, errs["DisconnectEx"] = p.DisconnectEx(s, 1, 1)
	_, errs["Ioctl"] = p.Ioctl(s, 0, nil, nil)
	_, errs["GetSockName"] = p.GetSockName(s)
	_, errs["GetPeerName"] = p.GetPeerName(s)
	_, _, _, errs["Select"] = p.Select(nil, nil, nil, -1)
	_, _, _, errs["Select with a member"] = p.Select([]wsa.SOCKET{s}, nil, nil, -1)
	return errs
}

// AV-2: before WSAStartup and after the last WSACleanup every call is
// WSANOTINITIALISED, even with a descriptor that was never good.
func TestNotInitialised(t *testing.T) {
	l := newLab(t)
	s := l.stream(wsa.AF_INET)
	require.NoError(t, l.a.Cleanup())
	require.Equal(t, wsa.WSANOTINITIALISED, l.a.Cleanup())
	for name, p := range map[string]*provider.Provider{"after Cleanup": l.a, "no Provider": nil, "zero Provider": {}} {
		for _, handle := range []wsa.SOCKET{s, 0, 4, wsa.INVALID_SOCKET} {
			for call, err := range everyCall(p, handle) {
				require.Equal(t, wsa.WSANOTINITIALISED, err, "%s: %s(%v)", name, call, handle)
			}
		}
		require.Equal(t, wsa.WSANOTINITIALISED, p.Cleanup(), name)
	}
}

// A second provider on the stack is another process: it lives on.
func TestCleanupIsPerProvider(t *testing.T) {
	l := newLab(t)
	other := startup(t, l.sa)
	s := l.socket(other, wsa.AF_INET, wsa.SOCK_STREAM)
	l.stream(wsa.AF_INET)
	_, err := l.a.GetSockName(s + 1000)
	require.Equal(t, wsa.WSAENOTSOCK, err)
	require.NoError(t, l.a.Cleanup())
	require.Equal(t, 1, l.sa.Stats().Sockets)
	require.NoError(t, other.Bind(s, addrA(wsa.AF_INET, 0)))
	require.NoError(t, other.Cleanup())
	require.Zero(t, l.sa.Stats().Sockets)
}

// Cleanup closes as closesocket does, without waiting: what was accepted is
// delivered, whatever the linger time, though the peer can't acknowledge it yet.
func TestCleanupDelivers(t *testing.T) {
	for _, seconds := range []uint16{0, 3600} {
		for _, nonblocking := range []bool{true, false} {
			l, link := newGatedLab(t)
			s, peer := l.pair(wsa.AF_INET)
			link.close()
			if seconds > 0 {
				linger(l, l.a, s, 1, seconds)
			}
			l.nonblocking(l.a, s, nonblocking)
			_, err := l.a.Send(s, []byte("last words"), 0)
			require.NoError(t, err)
			require.NoError(t, l.a.Cleanup())
			link.open()
			buf := make([]byte, 100)
			n, err := l.b.Recv(peer, buf[:len("last words")], wsa.MSG_WAITALL)
			require.NoError(t, err)
			require.Equal(t, "last words", string(buf[:n]))
			n, err = l.b.Recv(peer, buf, 0)
			require.NoError(t, err)
			require.Zero(t, n)
		}
	}
}

func TestCleanupResets(t *testing.T) {
	l := newLab(t)
	s, peer := l.pair(wsa.AF_INET)
	linger(l, l.a, s, 1, 0)
	require.NoError(t, l.a.Cleanup())
	l.settle()
	_, err := l.b.Recv(peer, make([]byte, 1), 0)
	require.Equal(t, wsa.WSAECONNRESET, err)
}

func TestCleanupCancels(t *testing.T) {
	l := newLab(t)
	s := l.listening(wsa.AF_INET)
	err := l.blocked(func() error { _, _, err := l.a.Accept(s); return err }, func() { require.NoError(t, l.a.Cleanup()) })
	require.Equal(t, wsa.WSAEINTR, err)

	l.a = startup(t, l.sa)
	s = l.listening(wsa.AF_INET)
	err = l.blocked(func() error { _, _, _, err := l.a.Select([]wsa.SOCKET{s}, nil, nil, time.Hour); return err }, func() { require.NoError(t, l.a.Cleanup()) })
	require.Equal(t, wsa.WSANOTINITIALISED, err)
}

// RU-7: SetOwner is the user of the bind matrix; a socket keeps the one it was
// created with. Over a wildcard, a specific address of the same user succeeds,
// and one of another user is WSAEACCES.
func TestSetOwner(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		const port = 4000
		l.bind(l.stream(af), wildcard(af, port))
		second := l.stream(af)
		l.a.SetOwner("somebody else")
		require.NoError(t, l.a.Bind(second, addrA(af, port)))
		require.NoError(t, l.a.CloseSocket(second))

		third := l.stream(af)
		require.Equal(t, wsa.WSAEACCES, l.a.Bind(third, addrA(af, port)))
		l.a.SetOwner(l.sa.Owner())
		require.Equal(t, wsa.WSAEACCES, l.a.Bind(third, addrA(af, port)))
		l.bind(l.stream(af), addrA(af, port))
	})
}
