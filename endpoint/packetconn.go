package endpoint

import (
	"net"
	"net/netip"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/wsa"
)

// A PacketConn is a datagram socket as a net.PacketConn and, when it was
// dialled, a net.Conn, with the methods of *net.UDPConn but SyscallConn and
// File. It is safe for concurrent use.
//
// Reading into a buffer that is shorter than the datagram fills it and fails
// with WSAEMSGSIZE (MS-2), where package net says nothing, but on Windows.
//
// That nobody has the port a datagram was sent to, or that its time to live was
// over, fails no Read: SIO_UDP_CONNRESET and SIO_UDP_NETRESET are off, as
// package net has them on Windows. Ioctl switches them on, for WSAECONNRESET and
// WSAENETRESET.
type PacketConn struct {
	conn
}

var (
	_ net.PacketConn = (*PacketConn)(nil)
	_ net.Conn       = (*PacketConn)(nil)
)

// NewPacketConn returns the net face of a datagram socket, which owns the socket
// from then on.
func NewPacketConn(s *socket.Socket, network string) *PacketConn {
	s.IgnoreResets()
	c := &PacketConn{conn{sock: s, network: network}}
	c.own()
	return c
}

// ReadFrom reads one datagram and its sender, a *net.UDPAddr.
func (c *PacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromUDPAddrPort(b)
	if !from.IsValid() {
		return n, nil, err
	}
	return n, udpAddr(from), err
}

// udpAddr is net.UDPAddrFromAddrPort in one allocation.
func udpAddr(ap netip.AddrPort) *net.UDPAddr {
	u := &struct {
		net.UDPAddr
		ip [16]byte
	}{}
	u.Port, u.Zone = int(ap.Port()), ap.Addr().Zone()
	if a := ap.Addr(); a.Is4() {
		*(*[4]byte)(u.ip[:4]) = a.As4()
		u.IP = u.ip[:4:4]
	} else {
		u.ip = a.As16()
		u.IP = u.ip[:]
	}
	return &u.UDPAddr
}

// ReadFromUDP is ReadFrom with the type of the address.
func (c *PacketConn) ReadFromUDP(b []byte) (int, *net.UDPAddr, error) {
	n, from, err := c.ReadFromUDPAddrPort(b)
	if !from.IsValid() {
		return n, nil, err
	}
	return n, udpAddr(from), err
}

// ReadFromUDPAddrPort is ReadFrom without an allocation for the address. What
// netstack allocates for a datagram stands in docs/netstack.md.
func (c *PacketConn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, from, err := c.sock.RecvUntil(b, 0, &c.rd)
	from = c.named(netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
	return n, from, c.wrap("read", err)
}

// WriteTo sends one datagram. addr is a *net.UDPAddr with an address of the
// socket's family. On a dialled PacketConn it fails with net.ErrWriteToConnected.
func (c *PacketConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	a, ok := addr.(*net.UDPAddr)
	if !ok || a == nil {
		return 0, opError("write", c.network, c.LocalAddr(), addr, wsa.WSAEFAULT)
	}
	return c.WriteToUDPAddrPort(b, a.AddrPort())
}

// WriteToUDP is WriteTo with the type of the address.
func (c *PacketConn) WriteToUDP(b []byte, addr *net.UDPAddr) (int, error) {
	return c.WriteTo(b, addr)
}

// WriteToUDPAddrPort is WriteTo without a net.Addr, and as that without an
// allocation but netstack's.
func (c *PacketConn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if err := c.notDialled(to); err != nil {
		return 0, err
	}
	n, err := c.sock.SendUntil(b, 0, c.sock.Addressed(to), &c.wd)
	return n, c.wrapTo(to, err)
}

// notDialled is the error of a destination for a dialled PacketConn.
func (c *PacketConn) notDialled(to netip.AddrPort) error {
	if c.sock.LastRemote().IsValid() {
		return opError("write", c.network, c.LocalAddr(), netAddr(c.network, to), net.ErrWriteToConnected)
	}
	return nil
}

// wrapTo is wrap with a destination; one that isn't valid is the peer.
func (c *PacketConn) wrapTo(to netip.AddrPort, err wsa.Errno) error {
	if err == 0 {
		return nil
	}
	peer := c.RemoteAddr()
	if to.IsValid() {
		peer = netAddr(c.network, to)
	}
	return opError("write", c.network, c.LocalAddr(), peer, cause(err))
}
