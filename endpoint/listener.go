package endpoint

import (
	"net"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/wsa"
)

// A Listener is a listening stream socket as a net.Listener, with the methods
// of *net.TCPListener but SyscallConn and File. It is safe for concurrent use.
type Listener struct {
	conn conn
}

var _ net.Listener = (*Listener)(nil)

// NewListener returns the net face of a listening socket, which owns the socket
// from then on.
func NewListener(s *socket.Socket, network string) *Listener {
	l := &Listener{conn{sock: s, network: network}}
	l.conn.own()
	return l
}

// Accept waits for the next connection, a *Conn.
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.AcceptConn()
	if err != nil {
		return nil, err
	}
	return c, nil
}

// AcceptConn is Accept with the type of the connection. Connections that the
// peer has reset while they waited are passed over, as package net does.
func (l *Listener) AcceptConn() (*Conn, error) {
	for {
		s, _, err := l.conn.sock.AcceptUntil(nil, &l.conn.rd)
		switch err {
		case 0:
			return NewConn(s, l.conn.network), nil
		case wsa.WSAECONNRESET:
			continue
		}
		return nil, l.conn.wrap("accept", err)
	}
}

// AcceptIf is AcceptConn on a listener with SO_CONDITIONAL_ACCEPT: connect decides about a SYN that
// nobody has answered yet. Where it returns true, the handshake goes on, and AcceptIf returns the
// connection; else the SYN is answered by a RST, and AcceptIf waits for the next one (CA-3, CA-4).
// On other listeners connect decides about an established connection. It is told the addresses of
// the caller and of the called side, and runs on the goroutine of the call, with no lock held.
// Of several calls each has a SYN of its own.
func (l *Listener) AcceptIf(connect func(caller, called netip.AddrPort) bool) (*Conn, error) {
	condition := func(caller, called netip.AddrPort) int32 {
		if connect(caller, called) {
			return wsa.CF_ACCEPT
		}
		return wsa.CF_REJECT
	}
	for {
		s, _, err := l.conn.sock.AcceptUntil(condition, &l.conn.rd)
		switch err {
		case 0:
			return NewConn(s, l.conn.network), nil
		case wsa.WSAECONNRESET, wsa.WSAECONNREFUSED:
			continue
		}
		return nil, l.conn.wrap("accept", err)
	}
}

// AcceptTCP is AcceptConn, by the name it has in package net.
func (l *Listener) AcceptTCP() (*Conn, error) { return l.AcceptConn() }

// Close stops listening: connections that wait to be accepted are reset
// (LG-16), a blocked Accept ends.
func (l *Listener) Close() error { return l.conn.Close() }

// Addr is the address of the listener, a *net.TCPAddr: the same pointer each time.
func (l *Listener) Addr() net.Addr { return l.conn.LocalAddr() }

// String names the listener in logs: its network and its address.
func (l *Listener) String() string { return l.conn.String() }

// SetDeadline bounds Accept calls, those in progress included, on the stack's
// clock.
func (l *Listener) SetDeadline(t time.Time) error {
	return l.conn.setDeadline(&l.conn.rd, t, waiter.ReadableEvents)
}

// SetSockOpt and GetSockOpt are those of Conn; accepted connections inherit
// the options that are set here (IN-2).
func (l *Listener) SetSockOpt(level, name int32, optval []byte) error {
	return l.conn.SetSockOpt(level, name, optval)
}

// GetSockOpt is getsockopt; see Conn.GetSockOpt.
func (l *Listener) GetSockOpt(level, name int32, optval []byte) (n int, err error) {
	return l.conn.GetSockOpt(level, name, optval)
}

// Ioctl is that of Conn; accepted connections inherit what is set here (IN-2).
func (l *Listener) Ioctl(code uint32, in, out []byte) (n int, err error) {
	return l.conn.Ioctl(code, in, out)
}
