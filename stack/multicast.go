package stack

import (
	"errors"
	"net"
	"net/netip"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/wsa"
)

// ListenMulticastUDP opens a datagram socket on the port of a group, as that of package net does.
// The socket has joined the group on an interface of NetInterfaces; nil is the one that
// the route table has for the group. The socket is bound to the wildcard and shares
// its port with others of the kind. It doesn't receive what this host sends:
// SetMulticastLoopback changes that. More groups are joined with JoinGroup.
func (s *Stack) ListenMulticastUDP(network string, ifi *net.Interface, group *net.UDPAddr) (*endpoint.PacketConn, error) {
	return (&ListenConfig{Stack: s}).ListenMulticastUDP(network, ifi, group)
}

// ListenMulticastUDP opens a datagram socket that has joined a group, as ListenMulticastUDP of
// Stack does.
func (lc *ListenConfig) ListenMulticastUDP(network string, ifi *net.Interface, group *net.UDPAddr) (*endpoint.PacketConn, error) {
	if group == nil || group.IP == nil {
		return nil, callError("listen", network, netip.AddrPort{}, errMissingAddress)
	}
	addr := group.AddrPort()
	n, addr, err := lc.check(network, wsa.SOCK_DGRAM, netip.AddrPortFrom(addr.Addr().WithZone(""), addr.Port()))
	if err == nil && !addr.Addr().IsMulticast() {
		err = &net.AddrError{Err: "not a multicast address", Addr: addr.Addr().String()}
	}
	if err != nil {
		return nil, callError("listen", network, addr, err)
	}
	c, err := lc.openPacket(n, addr)
	if err != nil {
		return nil, err
	}
	if err := joinAlone(c, ifi, group); err != nil {
		c.Close()
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err
		}
		return nil, callError("listen", network, addr, err)
	}
	return c, nil
}

// joinAlone joins a group without what this host sends to it.
func joinAlone(c *endpoint.PacketConn, ifi *net.Interface, group *net.UDPAddr) error {
	if ifi != nil {
		if err := c.SetMulticastInterface(ifi); err != nil {
			return err
		}
	}
	if err := c.SetMulticastLoopback(false); err != nil {
		return err
	}
	return c.JoinGroup(ifi, group)
}

// NetInterfaces lists the interfaces of the stack, the loopback first, for the
// methods of PacketConn that take one. The methods Addrs and MulticastAddrs of a
// net.Interface ask the system, which doesn't know these.
func (s *Stack) NetInterfaces() []net.Interface {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := make([]net.Interface, 0, len(s.nics))
	for _, n := range s.nics {
		i := net.Interface{
			Index: int(n.id), MTU: int(n.link.MTU()), Name: s.ns.FindNICNameFromID(n.id),
			Flags: net.FlagUp | net.FlagRunning | net.FlagMulticast,
		}
		if n.id == loopbackID {
			i.Flags |= net.FlagLoopback
		} else {
			i.Flags |= net.FlagPointToPoint
		}
		list = append(list, i)
	}
	return list
}
