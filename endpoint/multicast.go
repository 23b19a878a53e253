package endpoint

import (
	"encoding/binary"
	"net"
	"net/netip"

	"github.com/wsstack/wsstack/wsa"
)

// The methods of this file are those of PacketConn in golang.org/x/net/ipv4 and
// ipv6, of both in one: that package needs a descriptor. They are the options of
// multicast (IP_ADD_MEMBERSHIP and its kin), and their errors those of the options.
// The groups belong to the socket, and Close leaves them all.

// JoinGroup joins a group for what any source sends. group is a *net.UDPAddr or
// *net.IPAddr; its family decides, and on a socket of both either will do. Of ifi
// only Index counts, that of an interface of Stack.NetInterfaces; nil is the one
// that the route table has for the group, else the first device. The network is told
// of it with stack.Config.IGMP only.
//
// Errors, of all methods about groups: WSAEFAULT for an address of another type
// or without an IP; WSAEINVAL for what is no group, a source that can't be one or is
// of another family, and a source that is excluded from a group of some sources;
// WSAEADDRNOTAVAIL for an interface that isn't there, a group that is joined
// already or wasn't, a source that is listed already or wasn't; WSAENOPROTOOPT for
// a group of IPv6 on a socket of IPv4.
func (c *PacketConn) JoinGroup(ifi *net.Interface, group net.Addr) error {
	return c.group(wsa.MCAST_JOIN_GROUP, ifi, group)
}

// LeaveGroup leaves a group, however it was joined.
func (c *PacketConn) LeaveGroup(ifi *net.Interface, group net.Addr) error {
	return c.group(wsa.MCAST_LEAVE_GROUP, ifi, group)
}

// JoinSourceSpecificGroup joins a group for what one source sends; there may be
// several (RFC 4607).
func (c *PacketConn) JoinSourceSpecificGroup(ifi *net.Interface, group, source net.Addr) error {
	return c.groupSource(wsa.MCAST_JOIN_SOURCE_GROUP, ifi, group, source)
}

// LeaveSourceSpecificGroup undoes JoinSourceSpecificGroup.
func (c *PacketConn) LeaveSourceSpecificGroup(ifi *net.Interface, group, source net.Addr) error {
	return c.groupSource(wsa.MCAST_LEAVE_SOURCE_GROUP, ifi, group, source)
}

// ExcludeSourceSpecificGroup drops what a source sends to a group that was joined
// with JoinGroup.
func (c *PacketConn) ExcludeSourceSpecificGroup(ifi *net.Interface, group, source net.Addr) error {
	return c.groupSource(wsa.MCAST_BLOCK_SOURCE, ifi, group, source)
}

// IncludeSourceSpecificGroup undoes ExcludeSourceSpecificGroup.
func (c *PacketConn) IncludeSourceSpecificGroup(ifi *net.Interface, group, source net.Addr) error {
	return c.groupSource(wsa.MCAST_UNBLOCK_SOURCE, ifi, group, source)
}

func (c *PacketConn) group(name int32, ifi *net.Interface, group net.Addr) error {
	g := hostOf(group)
	if !g.IsValid() {
		return c.wrap("set", wsa.WSAEFAULT)
	}
	r := wsa.GroupReq{Interface: indexOf(ifi), Group: netip.AddrPortFrom(g, 0)}
	return c.SetSockOpt(levelOf(g), name, r.Append(nil))
}

func (c *PacketConn) groupSource(name int32, ifi *net.Interface, group, source net.Addr) error {
	g, s := hostOf(group), hostOf(source)
	if !g.IsValid() || !s.IsValid() {
		return c.wrap("set", wsa.WSAEFAULT)
	}
	r := wsa.GroupSourceReq{Interface: indexOf(ifi), Group: netip.AddrPortFrom(g, 0), Source: netip.AddrPortFrom(s, 0)}
	return c.SetSockOpt(levelOf(g), name, r.Append(nil))
}

// hostOf is the address in a *net.UDPAddr or *net.IPAddr, not valid of anything
// else.
func hostOf(a net.Addr) netip.Addr {
	var ip net.IP
	switch a := a.(type) {
	case *net.UDPAddr:
		if a != nil {
			ip = a.IP
		}
	case *net.IPAddr:
		if a != nil {
			ip = a.IP
		}
	}
	addr, _ := netip.AddrFromSlice(ip)
	return addr.Unmap()
}

// levelOf is the level of the options for an address.
func levelOf(a netip.Addr) int32 {
	if a.Is4() {
		return wsa.IPPROTO_IP
	}
	return wsa.IPPROTO_IPV6
}

// indexOf is 0 for nil, and a number that no interface has for one that can't be
// right.
func indexOf(ifi *net.Interface) uint32 {
	switch {
	case ifi == nil:
		return 0
	case ifi.Index <= 0 || ifi.Index > maxIndex:
		return maxIndex
	}
	return uint32(ifi.Index)
}

// maxIndex is the highest index that IP_MULTICAST_IF can say.
const maxIndex = 1<<24 - 1

// SetMulticastInterface chooses the interface that datagrams to groups leave by,
// of both families where the socket has both (IP_MULTICAST_IF,
// IPV6_MULTICAST_IF). One that isn't there is WSAEADDRNOTAVAIL.
func (c *PacketConn) SetMulticastInterface(ifi *net.Interface) error {
	index := indexOf(ifi)
	for _, level := range c.sock.Levels() {
		optval := binary.LittleEndian.AppendUint32(nil, index)
		if level == wsa.IPPROTO_IP {
			optval = binary.BigEndian.AppendUint32(nil, index)
		}
		if err := c.SetSockOpt(level, wsa.IP_MULTICAST_IF, optval); err != nil { // of the same number
			return err
		}
	}
	return nil
}

// MulticastInterface is what SetMulticastInterface has chosen, with its index
// only; nil: nothing.
func (c *PacketConn) MulticastInterface() (*net.Interface, error) {
	index, err := c.getInt(c.sock.Levels()[0], wsa.IP_MULTICAST_IF)
	if err != nil || index == 0 {
		return nil, err
	}
	return &net.Interface{Index: index}, nil
}

// SetMulticastLoopback is IP_MULTICAST_LOOP and IPV6_MULTICAST_LOOP: whether the
// socket receives what this host sends to the groups that it has joined. As in
// Winsock it is the receiver's affair; the default is true.
func (c *PacketConn) SetMulticastLoopback(on bool) error {
	for _, level := range c.sock.Levels() {
		if err := c.setBool(level, wsa.IP_MULTICAST_LOOP, on); err != nil { // of the same number
			return err
		}
	}
	return nil
}

// MulticastLoopback is what SetMulticastLoopback has set.
func (c *PacketConn) MulticastLoopback() (bool, error) {
	on, err := c.getInt(c.sock.Levels()[0], wsa.IP_MULTICAST_LOOP)
	return on != 0, err
}

// SetMulticastTTL is IP_MULTICAST_TTL, the time to live of datagrams to groups of
// IPv4; 1 at first. What isn't 0 to 255 is WSAEINVAL.
func (c *PacketConn) SetMulticastTTL(ttl int) error {
	return c.setInt(wsa.IPPROTO_IP, wsa.IP_MULTICAST_TTL, ttl)
}

// MulticastTTL is what SetMulticastTTL has set.
func (c *PacketConn) MulticastTTL() (int, error) {
	return c.getInt(wsa.IPPROTO_IP, wsa.IP_MULTICAST_TTL)
}

// SetMulticastHopLimit is IPV6_MULTICAST_HOPS, SetMulticastTTL for IPv6.
func (c *PacketConn) SetMulticastHopLimit(hops int) error {
	return c.setInt(wsa.IPPROTO_IPV6, wsa.IPV6_MULTICAST_HOPS, hops)
}

// MulticastHopLimit is what SetMulticastHopLimit has set.
func (c *PacketConn) MulticastHopLimit() (int, error) {
	return c.getInt(wsa.IPPROTO_IPV6, wsa.IPV6_MULTICAST_HOPS)
}

// getInt gets an option of up to four bytes.
func (c *conn) getInt(level, name int32) (int, error) {
	var b [4]byte
	_, err := c.GetSockOpt(level, name, b[:])
	return int(binary.LittleEndian.Uint32(b[:])), err
}
