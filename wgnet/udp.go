package wgnet

import (
	"context"
	"net"
	"net/netip"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/wsa"
)

// DialUDPAddrPort opens a datagram socket that sends to raddr and takes what comes from there, from
// laddr: the zero value leaves address and port to the stack, a zero port the port. It is
// ListenUDPAddrPort where raddr is the zero value. A Read fails with WSAECONNRESET when the peer
// has said that nobody has the port. Errors are *net.OpError around a wsa.Errno or a
// *net.AddrError.
func (n *Net) DialUDPAddrPort(laddr, raddr netip.AddrPort) (*endpoint.PacketConn, error) {
	if raddr == (netip.AddrPort{}) {
		return n.ListenUDPAddrPort(laddr)
	}
	return reporting(n.stack.DialUDP(context.Background(), "udp", laddr, raddr))
}

// reporting has a dialled socket tell of ICMP errors, as netstack's do, where Winsock's are told
// to.
func reporting(c *endpoint.PacketConn, err error) (*endpoint.PacketConn, error) {
	if err != nil {
		return nil, err
	}
	if _, err := c.Ioctl(wsa.SIO_UDP_CONNRESET, []byte{1, 0, 0, 0}, nil); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// ListenUDPAddrPort opens a datagram socket on a local address and port, which mean what they mean
// to ListenTCPAddrPort.
func (n *Net) ListenUDPAddrPort(laddr netip.AddrPort) (*endpoint.PacketConn, error) {
	return n.stack.ListenUDP(networkFor("udp", laddr.Addr()), laddr)
}

// DialUDP is DialUDPAddrPort with the other form of the addresses; nil is the zero one.
func (n *Net) DialUDP(laddr, raddr *net.UDPAddr) (*endpoint.PacketConn, error) {
	return n.DialUDPAddrPort(laddr.AddrPort(), raddr.AddrPort())
}

// ListenUDP is ListenUDPAddrPort with the other form of the address; nil is the zero one.
func (n *Net) ListenUDP(laddr *net.UDPAddr) (*endpoint.PacketConn, error) {
	return n.ListenUDPAddrPort(laddr.AddrPort())
}
