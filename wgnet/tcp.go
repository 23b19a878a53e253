package wgnet

import (
	"context"
	"net"
	"net/netip"

	"github.com/wsstack/wsstack/endpoint"
)

// DialContextTCPAddrPort connects to an address and port. Errors are *net.OpError around a
// wsa.Errno, the error of the context, or a *net.AddrError.
func (n *Net) DialContextTCPAddrPort(ctx context.Context, addr netip.AddrPort) (*endpoint.Conn, error) {
	return n.stack.DialTCP(ctx, "tcp", netip.AddrPort{}, addr)
}

// DialContextTCP is DialContextTCPAddrPort with the other form of the address.
func (n *Net) DialContextTCP(ctx context.Context, addr *net.TCPAddr) (*endpoint.Conn, error) {
	return n.DialContextTCPAddrPort(ctx, addr.AddrPort())
}

// DialTCPAddrPort is DialContextTCPAddrPort without a context.
func (n *Net) DialTCPAddrPort(addr netip.AddrPort) (*endpoint.Conn, error) {
	return n.DialContextTCPAddrPort(context.Background(), addr)
}

// DialTCP is DialTCPAddrPort with the other form of the address.
func (n *Net) DialTCP(addr *net.TCPAddr) (*endpoint.Conn, error) {
	return n.DialTCPAddrPort(addr.AddrPort())
}

// ListenTCPAddrPort listens on a local address and port. An address that isn't valid, and ::, mean
// every address of both families, and 0.0.0.0 every one of IPv4; port 0 chooses a port. Errors are
// *net.OpError around a wsa.Errno.
func (n *Net) ListenTCPAddrPort(addr netip.AddrPort) (*endpoint.Listener, error) {
	return n.stack.ListenTCP(networkFor("tcp", addr.Addr()), addr)
}

// ListenTCP is ListenTCPAddrPort with the other form of the address; nil is the zero one.
func (n *Net) ListenTCP(addr *net.TCPAddr) (*endpoint.Listener, error) {
	return n.ListenTCPAddrPort(addr.AddrPort())
}

// networkFor is the network on which a socket with a local address is. Package stack takes 0.0.0.0
// for both families otherwise.
func networkFor(protocol string, local netip.Addr) string {
	if local.Unmap().Is4() {
		return protocol + "4"
	}
	return protocol
}
