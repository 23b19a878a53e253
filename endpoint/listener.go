package endpoint

import (
	"net"
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
