package provider_test

import (
	"encoding/binary"
	"net/netip"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/wsa"
)

// Constructors of sockets on stack a in every state of the NB tables. None of
// them waits for time to pass.

func (l *lab) socket(p *provider.Provider, af, typ int32) wsa.SOCKET {
	l.Helper()
	s, err := p.Socket(af, typ, 0)
	require.NoError(l, err)
	return s
}

func (l *lab) stream(af int32) wsa.SOCKET   { return l.socket(l.a, af, wsa.SOCK_STREAM) }
func (l *lab) datagram(af int32) wsa.SOCKET { return l.socket(l.a, af, wsa.SOCK_DGRAM) }

func (l *lab) bind(s wsa.SOCKET, to netip.AddrPort) wsa.SOCKET {
	l.Helper()
	require.NoError(l, l.a.Bind(s, to))
	return s
}

// nonblocking is ioctlsocket(FIONBIO).
func (l *lab) nonblocking(p *provider.Provider, s wsa.SOCKET, on bool) {
	l.Helper()
	in := make([]byte, 4)
	if on {
		in[0] = 1
	}
	_, err := p.Ioctl(s, wsa.FIONBIO, in, nil)
	require.NoError(l, err)
}

func (l *lab) listening(af int32) wsa.SOCKET {
	l.Helper()
	s := l.bind(l.stream(af), addrA(af, 0))
	require.NoError(l, l.a.Listen(s, wsa.SOMAXCONN))
	return s
}

// connecting is a socket whose SYN nobody answers, in blocking mode.
func (l *lab) connecting(af int32) wsa.SOCKET {
	l.Helper()
	s := l.stream(af)
	l.nonblocking(l.a, s, true)
	require.Equal(l, wsa.WSAEWOULDBLOCK, l.a.Connect(s, nobody(af, 80)))
	l.nonblocking(l.a, s, false)
	return s
}

// server returns a listener on stack b and its address.
func (l *lab) server(af int32) (wsa.SOCKET, netip.AddrPort) {
	l.Helper()
	s := l.socket(l.b, af, wsa.SOCK_STREAM)
	require.NoError(l, l.b.Bind(s, addrB(af, 0)))
	require.NoError(l, l.b.Listen(s, wsa.SOMAXCONN))
	at, err := l.b.GetSockName(s)
	require.NoError(l, err)
	return s, at
}

// pair is a connection: s on stack a, peer on stack b.
func (l *lab) pair(af int32) (s, peer wsa.SOCKET) {
	l.Helper()
	server, at := l.server(af)
	s = l.stream(af)
	require.NoError(l, l.a.Connect(s, at))
	peer, _, err := l.b.Accept(server)
	require.NoError(l, err)
	require.NoError(l, l.b.CloseSocket(server))
	return s, peer
}

func (l *lab) connected(af int32) wsa.SOCKET {
	s, _ := l.pair(af)
	return s
}

// after is a connected socket after a shutdown.
func (l *lab) after(af, how int32) wsa.SOCKET {
	s := l.connected(af)
	require.NoError(l, l.a.Shutdown(s, how))
	return s
}

// atEnd is a connection whose peer has sent a FIN.
func (l *lab) atEnd(af int32) wsa.SOCKET {
	s, peer := l.pair(af)
	require.NoError(l, l.b.Shutdown(peer, wsa.SD_SEND))
	l.settle()
	return s
}

// hardClose makes the peer reset the connection.
func (l *lab) hardClose(p *provider.Provider, s wsa.SOCKET) {
	l.Helper()
	linger(l, p, s, 1, 0)
	require.NoError(l, p.CloseSocket(s))
	l.settle()
}

func linger(l *lab, p *provider.Provider, s wsa.SOCKET, on, seconds uint16) {
	l.Helper()
	value := wsa.Linger{OnOff: on, Linger: seconds}.Append(nil)
	require.NoError(l, p.SetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_LINGER, value, int32(len(value))))
}

func (l *lab) reset(af int32) wsa.SOCKET {
	s, peer := l.pair(af)
	l.hardClose(l.b, peer)
	return s
}

// failed is a socket whose non-blocking connect was refused.
func (l *lab) failed(af int32) wsa.SOCKET {
	s := l.stream(af)
	l.nonblocking(l.a, s, true)
	require.Equal(l, wsa.WSAEWOULDBLOCK, l.a.Connect(s, addrB(af, closedPort)))
	l.settle()
	l.nonblocking(l.a, s, false)
	return s
}

func (l *lab) closed(af, typ int32) wsa.SOCKET {
	s := l.socket(l.a, af, typ)
	require.NoError(l, l.a.CloseSocket(s))
	return s
}

// udpConnected is a datagram socket whose peer doesn't exist.
func (l *lab) udpConnected(af int32) wsa.SOCKET {
	s := l.datagram(af)
	require.NoError(l, l.a.Connect(s, addr(af, "10.0.0.9", "fd00::9", 53)))
	return s
}

func (l *lab) udpAfter(af, how int32) wsa.SOCKET {
	s := l.udpConnected(af)
	require.NoError(l, l.a.Shutdown(s, how))
	return s
}

// unreachable is a connected datagram socket that was told by ICMP that its
// peer's port is closed.
func (l *lab) unreachable(af int32) wsa.SOCKET {
	s := l.datagram(af)
	require.NoError(l, l.a.Connect(s, addrB(af, closedPort)))
	_, err := l.a.Send(s, []byte("?"), 0)
	require.NoError(l, err)
	l.settle()
	return s
}

// setInt and getInt are setsockopt and getsockopt of four bytes.
func setInt(p *provider.Provider, s wsa.SOCKET, level, name int32, value uint32) error {
	return p.SetSockOpt(s, level, name, binary.LittleEndian.AppendUint32(nil, value), 4)
}

func getInt(p *provider.Provider, s wsa.SOCKET, level, name int32) (uint32, error) {
	optval, optlen := make([]byte, 4), int32(4)
	err := p.GetSockOpt(s, level, name, optval, &optlen)
	return binary.LittleEndian.Uint32(optval), err
}
