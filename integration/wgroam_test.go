//go:build linux

package integration

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/tun"
)

// The left end's address changes during a transfer: the transfer goes on, and so does the session.
func TestTunnelRoamsToAnotherAddress(t *testing.T) {
	eachOuter(t, func(t *testing.T, v6 bool) {
		tu := newTunnel(t, newPath(t), v6)
		before, after := tu.outer(tu.a), otherAddress(tu.machineAddr(tu.a))
		tu.roams(t, func() { tu.left.moveTo(t, after) })
		require.NotEqual(t, before, tu.b.at())
		require.Equal(t, netip.AddrPortFrom(after, tunnelPort), tu.b.at())
	})
}

// The right end's address changes, and SetPeer tells the left one where it is now.
func TestTunnelPeerIsMoved(t *testing.T) {
	eachOuter(t, func(t *testing.T, v6 bool) {
		tu := newTunnel(t, newPath(t), v6)
		after := netip.AddrPortFrom(otherAddress(tu.machineAddr(tu.b)), tunnelPort)
		tu.roams(t, func() {
			tu.right.moveTo(t, after.Addr())
			peer := tu.config(tu.a).Peers[0]
			peer.Endpoint = after.String()
			require.NoError(t, tu.a.device.SetPeer(peer))
		})
		require.Equal(t, after, tu.a.at())
	})
}

// A NAT between the ends forgets its mapping during a transfer, and gives the left end another
// port.
func TestTunnelThroughNATThatForgets(t *testing.T) {
	p := newPath(t)
	n := newRebindingNAT(t, p)
	tu := newTunnel(t, p, false)
	tu.roams(t, func() { n.port.Add(1) })
	require.Equal(t, netip.AddrPortFrom(tu.machineAddr(tu.a), uint16(n.port.Load())), tu.b.at())
}

// roams changes something in the middle of a transfer. Every byte arrives, in the session that
// there was.
func (tu *tunnel) roams(t *testing.T, change func()) {
	t.Helper()
	a, b := tu.connect(t, tu.v6)
	handshakes := [2]time.Time{tu.handshake(tu.a), tu.handshake(tu.b)}
	bytes := size(4<<20, 512<<10)
	exchange(t, a, &watched{stream: b, after: bytes / 3, do: change}, bytes)
	require.Equal(t, handshakes, [2]time.Time{tu.handshake(tu.a), tu.handshake(tu.b)}, "the session is the same")
}

// handshake is when an end and the other one have shaken hands.
func (tu *tunnel) handshake(e *tunnelEnd) time.Time { return e.device.Peers()[0].LastHandshake }

// machineAddr is the address of the machine of an end that packets of the tunnel have.
func (tu *tunnel) machineAddr(e *tunnelEnd) netip.Addr { return e.machine.addr(tu.v6) }

// otherAddress is an address on the link of another one that nobody has.
func otherAddress(a netip.Addr) netip.Addr {
	for range 7 {
		a = a.Next()
	}
	return a
}

// moveTo gives the machine another address in place of that of the same version.
func (m *machine) moveTo(t testing.TB, to netip.Addr) {
	t.Helper()
	old := m.addr(to.Is6())
	// Routes are kept as long as the interface has an address. Those of one prefix go together.
	bits := 25
	if to.Is6() {
		bits = 65
	}
	m.Do(func() {
		link, err := netlink.LinkByName(m.device)
		if err == nil {
			err = tun.Configure(m.device, tun.Config{Addresses: []netip.Prefix{netip.PrefixFrom(to, bits)}, NoAddrGen: true})
		}
		if err == nil {
			var list []netlink.Addr
			list, err = netlink.AddrList(link, netlink.FAMILY_ALL)
			for _, a := range list {
				if ip, _ := netip.AddrFromSlice(a.IP); ip.Unmap() == old {
					err = netlink.AddrDel(link, &a)
				}
			}
		}
		if err != nil {
			t.Errorf("move %v to %v: %v", old, to, err)
		}
	})
}

// A rebindingNAT translates the source port of what goes to the right over IPv4. When its port
// changes it has forgotten the one before, and drops what comes for it.
type rebindingNAT struct{ port atomic.Uint32 }

func newRebindingNAT(t testing.TB, p *path) *rebindingNAT {
	n := &rebindingNAT{}
	n.port.Store(40000)
	require.NoError(t, p.link.SetIn(tun.Impairment{Filter: func(packet []byte) []byte {
		udp, ok := udpOf(packet)
		if ok {
			udp.SetSourcePort(uint16(n.port.Load()))
			udp.SetChecksum(0) // there is none (RFC 768)
		}
		return packet
	}}))
	require.NoError(t, p.link.SetOut(tun.Impairment{Filter: func(packet []byte) []byte {
		udp, ok := udpOf(packet)
		if !ok {
			return packet
		}
		if udp.DestinationPort() != uint16(n.port.Load()) {
			return nil
		}
		udp.SetDestinationPort(tunnelPort)
		udp.SetChecksum(0)
		return packet
	}}))
	return n
}

// udpOf is the datagram in a whole packet.
func udpOf(packet []byte) (header.UDP, bool) {
	switch {
	case header.IPVersion(packet) == header.IPv4Version:
		ip := header.IPv4(packet)
		return ip.Payload(), ip.IsValid(len(packet)) && ip.Protocol() == uint8(header.UDPProtocolNumber) && !ip.More() && ip.FragmentOffset() == 0
	default:
		ip := header.IPv6(packet)
		return ip.Payload(), ip.IsValid(len(packet)) && ip.NextHeader() == uint8(header.UDPProtocolNumber)
	}
}

// wireGuard is the message of WireGuard in a whole packet, and its type.
func wireGuard(packet []byte) (message []byte, kind uint32) {
	udp, ok := udpOf(packet)
	if !ok || len(udp) < header.UDPMinimumSize+4 {
		return nil, 0
	}
	message = udp.Payload()
	return message, binary.LittleEndian.Uint32(message)
}
