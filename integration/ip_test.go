//go:build linux

package integration

import (
	"encoding/binary"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/wsstack/wsstack/internal/socket"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// An ipSocket is a datagram socket of the stack, with its options by their
// numbers at both levels.
type ipSocket struct {
	t  *testing.T
	p  *provider.Provider
	s  wsa.SOCKET
	v6 bool
}

func (n *network) ipSocket(t *testing.T, v6 bool, typ, protocol int32, at netip.AddrPort) *ipSocket {
	t.Helper()
	p, err := provider.Startup(n.stack, 0x0202)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Cleanup()) })
	family := int32(wsa.AF_INET)
	if v6 {
		family = wsa.AF_INET6
	}
	s := &ipSocket{t: t, p: p, v6: v6}
	s.s, err = p.Socket(family, typ, protocol)
	require.NoError(t, err)
	require.NoError(t, p.Bind(s.s, at))
	s.setLevel(wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, uint32(patience.Milliseconds()))
	return s
}

func (s *ipSocket) setLevel(level, opt int32, value uint32) {
	s.t.Helper()
	require.NoError(s.t, s.p.SetSockOpt(s.s, level, opt, binary.LittleEndian.AppendUint32(nil, value), 4))
}

// set sets an option of the level of the socket's family.
func (s *ipSocket) set(v4, v6 int32, value uint32) {
	s.t.Helper()
	if s.v6 {
		s.setLevel(wsa.IPPROTO_IPV6, v6, value)
	} else {
		s.setLevel(wsa.IPPROTO_IP, v4, value)
	}
}

func (s *ipSocket) send(to netip.AddrPort, text string) {
	s.t.Helper()
	_, err := s.p.SendTo(s.s, []byte(text), 0, to)
	require.NoError(s.t, err)
}

// recv receives a datagram with its control messages.
func (s *ipSocket) recv() (string, socket.Message, map[int32]uint32) {
	s.t.Helper()
	buf, control := make([]byte, 100), make([]byte, 300)
	m, err := s.p.RecvMsg(s.s, buf, control, 0)
	require.NoError(s.t, err)
	all, errno := wsa.ParseCmsgs(control[:m.Control])
	require.Zero(s.t, errno)
	values := map[int32]uint32{}
	for _, c := range all {
		values[c.Type] = binary.LittleEndian.Uint32(c.Data)
	}
	return string(buf[:m.N]), m, values
}

// The kernel sees the TTL, TOS and DF bit that the stack's sockets were given.
func TestHeaderFieldsOut4(t *testing.T) {
	n := newNetwork(t, settings{})
	c, err := net.ListenPacket("ip4:udp", n.kernel.addr(false).String())
	require.NoError(t, err)
	defer c.Close()
	raw, err := ipv4.NewRawConn(c)
	require.NoError(t, err)
	to := netip.AddrPortFrom(n.kernel.addr(false), 7777)
	s := n.ipSocket(t, false, wsa.SOCK_DGRAM, 0, netip.AddrPortFrom(n.wsock.addr(false), 0))
	for _, want := range []struct {
		ttl, tos, df uint32
	}{{128, 0, 0}, {33, 0xB8, 1}, {255, 0x2E, 0}} {
		s.set(wsa.IP_TTL, 0, want.ttl)
		s.set(wsa.IP_TOS, 0, want.tos)
		s.set(wsa.IP_DONTFRAGMENT, 0, want.df)
		s.send(to, "header")
		require.NoError(t, raw.SetReadDeadline(time.Now().Add(patience)))
		h, payload, _, err := raw.ReadFrom(make([]byte, 200))
		require.NoError(t, err)
		require.Equal(t, "header", string(payload[8:]))
		require.EqualValues(t, want.ttl, h.TTL)
		require.EqualValues(t, want.tos, h.TOS)
		require.Equal(t, want.df == 1, h.Flags&ipv4.DontFragment != 0)
	}
}

func TestHeaderFieldsOut6(t *testing.T) {
	n := newNetwork(t, settings{})
	c, err := net.ListenPacket("udp6", netip.AddrPortFrom(n.kernel.addr(true), 0).String())
	require.NoError(t, err)
	defer c.Close()
	p := ipv6.NewPacketConn(c)
	require.NoError(t, p.SetControlMessage(ipv6.FlagTrafficClass|ipv6.FlagHopLimit, true))
	s := n.ipSocket(t, true, wsa.SOCK_DGRAM, 0, netip.AddrPortFrom(n.wsock.addr(true), 0))
	for _, want := range [][2]uint32{{128, 0}, {33, 0xB8}, {255, 0x2E}} {
		s.set(0, wsa.IPV6_UNICAST_HOPS, want[0])
		s.set(0, wsa.IPV6_TCLASS, want[1])
		s.send(c.LocalAddr().(*net.UDPAddr).AddrPort(), "header")
		require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
		_, cm, _, err := p.ReadFrom(make([]byte, 100))
		require.NoError(t, err)
		require.EqualValues(t, want[0], cm.HopLimit)
		require.EqualValues(t, want[1], cm.TrafficClass)
	}
}

// The stack's sockets see what the kernel's were given.
func TestHeaderFieldsIn(t *testing.T) {
	n := newNetwork(t, settings{})
	for _, v6 := range []bool{false, true} {
		s := n.ipSocket(t, v6, wsa.SOCK_DGRAM, 0, netip.AddrPortFrom(n.wsock.addr(v6), 0))
		at, err := s.p.GetSockName(s.s)
		require.NoError(t, err)
		s.set(wsa.IP_RECVTTL, wsa.IPV6_HOPLIMIT, 1)
		s.set(wsa.IP_RECVTOS, wsa.IPV6_RECVTCLASS, 1)
		c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(at))
		require.NoError(t, err)
		defer c.Close()
		ttl, tos := int32(wsa.IP_TTL), int32(wsa.IP_TOS)
		if v6 {
			ttl, tos = wsa.IPV6_HOPLIMIT, wsa.IPV6_TCLASS
			require.NoError(t, ipv6.NewConn(c).SetHopLimit(71))
			require.NoError(t, ipv6.NewConn(c).SetTrafficClass(0xB8))
		} else {
			require.NoError(t, ipv4.NewConn(c).SetTTL(71))
			require.NoError(t, ipv4.NewConn(c).SetTOS(0xB8))
		}
		_, err = c.Write([]byte("header"))
		require.NoError(t, err)
		text, _, values := s.recv()
		require.Equal(t, "header", text)
		require.Equal(t, map[int32]uint32{ttl: 71, tos: 0xB8}, values)
	}
}

// The groups of TestMulticast.
var (
	group4 = netip.MustParseAddr("239.7.7.7")
	group6 = netip.MustParseAddr("ff05::7777")
)

// Multicast both ways: the kernel's members receive with the TTL that was set,
// and so do the stack's, while the stack reports its groups with IGMP and MLD.
func TestMulticast(t *testing.T) {
	n := newNetwork(t, settings{config: func(cfg *stack.Config) { cfg.IGMP = true }})
	ifi, err := net.InterfaceByName(n.name)
	require.NoError(t, err)
	for _, v6 := range []bool{false, true} {
		group, any := group4, "udp4"
		if v6 {
			group, any = group6, "udp6"
		}
		c, err := net.ListenPacket(any, ":0")
		require.NoError(t, err)
		defer c.Close()
		to := netip.AddrPortFrom(group, uint16(c.LocalAddr().(*net.UDPAddr).Port))
		s := n.ipSocket(t, v6, wsa.SOCK_DGRAM, 0, netip.AddrPortFrom(n.wsock.addr(v6), 0))
		s.set(wsa.IP_MULTICAST_TTL, wsa.IPV6_MULTICAST_HOPS, 7)
		require.Equal(t, 7, n.receiveMulticast(t, c, ifi, group, func() { s.send(to, "to the kernel") }))

		member := n.ipSocket(t, v6, wsa.SOCK_DGRAM, 0, netip.AddrPortFrom(unspecified(v6), to.Port()))
		join := wsa.GroupReq{Interface: 2, Group: netip.AddrPortFrom(group, 0)}.Append(nil)
		level := int32(wsa.IPPROTO_IP)
		if v6 {
			level = wsa.IPPROTO_IPV6
		}
		require.NoError(t, member.p.SetSockOpt(member.s, level, wsa.MCAST_JOIN_GROUP, join, int32(len(join))))
		member.set(wsa.IP_RECVTTL, wsa.IPV6_HOPLIMIT, 1)
		sendMulticast(t, c, ifi, to)
		text, m, values := member.recv()
		require.Equal(t, "to the stack", text)
		require.EqualValues(t, wsa.MSG_MCAST, m.Flags)
		require.Equal(t, n.kernel.addr(v6), m.From.Addr())
		require.Len(t, values, 1)
		for _, ttl := range values {
			require.EqualValues(t, 9, ttl)
		}
	}
}

func unspecified(v6 bool) netip.Addr {
	if v6 {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// receiveMulticast joins with the kernel's socket, and returns the TTL of what
// send sends.
func (n *network) receiveMulticast(t *testing.T, c net.PacketConn, ifi *net.Interface, group netip.Addr, send func()) (ttl int) {
	t.Helper()
	addr := &net.UDPAddr{IP: group.AsSlice()}
	require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
	buf := make([]byte, 100)
	if group.Is4() {
		p := ipv4.NewPacketConn(c)
		require.NoError(t, p.JoinGroup(ifi, addr))
		require.NoError(t, p.SetControlMessage(ipv4.FlagTTL, true))
		send()
		size, cm, _, err := p.ReadFrom(buf)
		require.NoError(t, err)
		require.Equal(t, "to the kernel", string(buf[:size]))
		return cm.TTL
	}
	p := ipv6.NewPacketConn(c)
	require.NoError(t, p.JoinGroup(ifi, addr))
	require.NoError(t, p.SetControlMessage(ipv6.FlagHopLimit, true))
	send()
	size, cm, _, err := p.ReadFrom(buf)
	require.NoError(t, err)
	require.Equal(t, "to the kernel", string(buf[:size]))
	return cm.HopLimit
}

// sendMulticast sends from the kernel, with a TTL of 9.
func sendMulticast(t *testing.T, c net.PacketConn, ifi *net.Interface, to netip.AddrPort) {
	t.Helper()
	if to.Addr().Is4() {
		p := ipv4.NewPacketConn(c)
		require.NoError(t, p.SetMulticastInterface(ifi))
		require.NoError(t, p.SetMulticastTTL(9))
		require.NoError(t, p.SetMulticastLoopback(false))
	} else {
		p := ipv6.NewPacketConn(c)
		require.NoError(t, p.SetMulticastInterface(ifi))
		require.NoError(t, p.SetMulticastHopLimit(9))
		require.NoError(t, p.SetMulticastLoopback(false))
	}
	_, err := c.WriteTo([]byte("to the stack"), net.UDPAddrFromAddrPort(to))
	require.NoError(t, err)
}

// Broadcast both ways, limited and to the subnet, for sockets that permit it.
func TestBroadcast(t *testing.T) {
	n := newNetwork(t, settings{only4: true})
	limited := netip.AddrFrom4([4]byte{255, 255, 255, 255})
	subnet := n.kernel.addr(false).As4()
	subnet[3] = 255
	c, err := net.ListenPacket("udp4", ":0")
	require.NoError(t, err)
	defer c.Close()
	port := uint16(c.LocalAddr().(*net.UDPAddr).Port)
	s := n.ipSocket(t, false, wsa.SOCK_DGRAM, 0, netip.AddrPortFrom(netip.IPv4Unspecified(), port))
	s.setLevel(wsa.SOL_SOCKET, wsa.SO_BROADCAST, 1)
	conn, err := c.(*net.UDPConn).SyscallConn()
	require.NoError(t, err)
	require.NoError(t, conn.Control(func(fd uintptr) {
		require.NoError(t, syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_BROADCAST, 1))
		require.NoError(t, syscall.SetsockoptString(int(fd), syscall.SOL_SOCKET, syscall.SO_BINDTODEVICE, n.name))
	}))
	for _, to := range []netip.Addr{limited, netip.AddrFrom4(subnet)} {
		s.send(netip.AddrPortFrom(to, port), "to the kernel")
		require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
		buf := make([]byte, 100)
		for {
			size, from, err := c.ReadFrom(buf)
			require.NoErrorf(t, err, "to %v", to)
			if from.(*net.UDPAddr).AddrPort().Addr() == n.wsock.addr(false) {
				require.Equal(t, "to the kernel", string(buf[:size]))
				break
			} // else the kernel's own copy of the one before
		}

		drained := n.drainOwn(s) // the stack's own copy
		require.Equal(t, 1, drained)
		_, err = c.WriteTo([]byte("to the stack"), net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, port)))
		require.NoErrorf(t, err, "to %v", to)
		text, m, _ := s.recv()
		require.Equal(t, "to the stack", text)
		require.EqualValues(t, wsa.MSG_BCAST, m.Flags)
	}
}

// drainOwn reads what the socket has sent to itself.
func (n *network) drainOwn(s *ipSocket) (count int) {
	for {
		r, _, _, err := s.p.Select([]wsa.SOCKET{s.s}, nil, nil, 0)
		require.NoError(s.t, err)
		if len(r) == 0 {
			return count
		}
		_, m, _ := s.recv()
		require.Equal(s.t, n.wsock.addr(false), m.From.Addr())
		count++
	}
}

// A raw socket of the stack speaks with one of the kernel, of a protocol that
// neither knows.
func TestRawSockets(t *testing.T) {
	n := newNetwork(t, settings{})
	const protocol = 200
	for _, v6 := range []bool{false, true} {
		network := "ip4:200"
		if v6 {
			network = "ip6:200"
		}
		c, err := net.ListenPacket(network, n.kernel.addr(v6).String())
		require.NoError(t, err)
		defer c.Close()
		s := n.ipSocket(t, v6, wsa.SOCK_RAW, protocol, netip.AddrPortFrom(n.wsock.addr(v6), 0))
		for _, size := range []int{1, 1000, 9000} { // the kernel takes and makes fragments
			if v6 && size > 1400 {
				continue // netstack's raw endpoints on IPv6 don't take fragments
			}
			payload := pattern(size)
			_, err = s.p.SendTo(s.s, payload, 0, netip.AddrPortFrom(n.kernel.addr(v6), 0))
			require.NoError(t, err)
			require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
			buf := make([]byte, 1<<16)
			got, from, err := c.ReadFrom(buf)
			require.NoError(t, err)
			require.Equal(t, payload, buf[:got])
			require.Equal(t, n.wsock.addr(v6).String(), from.String())
			_, err = c.WriteTo(payload, &net.IPAddr{IP: n.wsock.addr(v6).AsSlice()})
			require.NoError(t, err)
			got, err = s.p.Recv(s.s, buf, 0)
			require.NoError(t, err)
			header := 20
			if v6 {
				header = 0
			}
			require.Equal(t, payload, buf[header:got])
		}
	}
}

// A traceroute's first hop: the kernel as a router says that the TTL is over, and
// the datagram socket's recv fails with WSAENETRESET (KA-36).
func TestTimeExceeded(t *testing.T) {
	n, beyond := newNetwork(t, settings{}), newNetwork(t, settings{})
	forward(t, n.name, beyond.name)
	for _, v6 := range []bool{false, true} {
		s := n.ipSocket(t, v6, wsa.SOCK_DGRAM, 0, netip.AddrPortFrom(n.wsock.addr(v6), 0))
		s.set(wsa.IP_TTL, wsa.IPV6_UNICAST_HOPS, 1)
		s.send(netip.AddrPortFrom(beyond.wsock.addr(v6), 33434), "hop")
		_, err := s.p.Recv(s.s, make([]byte, 10), 0)
		require.ErrorIs(t, err, wsa.WSAENETRESET)
	}
}
