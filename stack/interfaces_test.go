package stack_test

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// An address that is added is one like those of Config.Addresses: others reach
// it, and what is on link with it is reached from it.
func TestAddAddress(t *testing.T) {
	n := simnet.New(t)
	a := n.HostConfig("a", stack.Config{Addresses: prefixes("10.0.0.1/24", "fd00::1/64"), Routes: []stack.Route{}})
	b := n.Host("b", "10.5.0.2/24", "fd05::2/64")
	n.Link(a, b)
	l, err := b.Listen("tcp", ":80")
	require.NoError(t, err)
	for _, tt := range []struct{ prefix, from, to string }{
		{"10.5.0.1/24", "10.5.0.1", "10.5.0.2:80"},
		{"fd05::1/64", "fd05::1", "[fd05::2]:80"},
	} {
		p := netip.MustParsePrefix(tt.prefix)
		require.NoError(t, n.Do(tt.prefix, func() {
			_, err := a.Dial("tcp", tt.to)
			require.ErrorIs(t, err, wsa.WSAENETUNREACH)
			require.NoError(t, a.AddAddress(nil, p))
			c, err := a.Dial("tcp", tt.to)
			require.NoError(t, err)
			assert.Equal(t, tt.from, c.LocalAddr().(*net.TCPAddr).IP.String())
			_, err = l.Accept()
			require.NoError(t, err)
			own, err := a.Listen("tcp", netip.AddrPortFrom(p.Addr(), 81).String())
			require.NoError(t, err)
			_, err = b.Dial("tcp", own.Addr().String())
			require.NoError(t, err)
			require.ErrorContains(t, a.AddAddress(nil, p), "AddAddress: address "+tt.from+" is in use")
			require.NoError(t, a.RemoveAddress(p.Addr()))
			_, err = a.Dial("tcp", tt.to)
			require.ErrorIs(t, err, wsa.WSAENETUNREACH)
		}))
	}
}

// Two addresses of one network: what is on link stays until the last has gone.
func TestAddAddressOfOneNetwork(t *testing.T) {
	a, b := pair(t)
	require.NoError(t, a.AddAddress(nil, netip.MustParsePrefix("10.0.0.9/24")))
	require.NoError(t, a.RemoveRoute(stack.Route{Destination: netip.MustParsePrefix("0.0.0.0/0")}))
	l, err := b.Listen("tcp", "10.0.0.2:80")
	require.NoError(t, err)
	defer l.Close()
	require.NoError(t, a.RemoveAddress(netip.MustParseAddr("10.0.0.1")))
	c, err := a.Dial("tcp", "10.0.0.2:80")
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.NoError(t, a.RemoveAddress(netip.MustParseAddr("10.0.0.9")))
	_, err = a.Dial("tcp", "10.0.0.2:80")
	require.ErrorIs(t, err, wsa.WSAENETUNREACH)
}

func TestInterfacesRefuse(t *testing.T) {
	mine, strange := tun.NewFunc(1000, func([]byte) {}), tun.NewFunc(1500, func([]byte) {})
	defer strange.Close()
	s, err := stack.New(stack.Config{Device: mine, Addresses: prefixes("10.0.0.1/24")})
	require.NoError(t, err)
	lonely, err := stack.New(stack.Config{})
	require.NoError(t, err)
	defer lonely.Close()
	any4, any6 := netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")
	for want, err := range map[string]error{
		"AddAddress: the device is none":    s.AddAddress(strange, netip.MustParsePrefix("10.1.0.1/24")),
		"AddAddress: 224.0.0.1/32 is":       s.AddAddress(nil, netip.MustParsePrefix("224.0.0.1/32")),
		"AddAddress: MTU 1000 is too small": s.AddAddress(mine, netip.MustParsePrefix("fd00::1/64")),
		"AddAddress: address 127.0.0.1 is":  s.AddAddress(mine, netip.MustParsePrefix("127.0.0.1/8")),
		"AddRoute: the device is none":      s.AddRoute(stack.Route{Destination: any4, Device: strange}),
		"AddRoute: the destination is not":  s.AddRoute(stack.Route{}),
		"AddRoute: the gateway fd00::1":     s.AddRoute(stack.Route{Destination: any4, Gateway: netip.MustParseAddr("fd00::1")}),
		"AddRoute: there is such a route":   s.AddRoute(stack.Route{Destination: any6}),
		"RemoveRoute: there is no such":     s.RemoveRoute(stack.Route{Destination: any4, Gateway: netip.MustParseAddr("10.0.0.9")}),
		"RemoveRoute: the device is none":   s.RemoveRoute(stack.Route{Destination: any4, Device: strange}),
		"RemoveDevice: the device is none":  s.RemoveDevice(strange),
		"RemoveDevice: no device":           s.RemoveDevice(nil),
		"RemoveAddress: no interface has":   s.RemoveAddress(netip.MustParseAddr("10.9.9.9")),
		"AddRoute: the device is none of":   lonely.AddRoute(stack.Route{Destination: any4}),
	} {
		assert.ErrorContains(t, err, want)
	}
	require.NoError(t, s.Close())
	for _, err := range []error{
		s.AddAddress(nil, netip.MustParsePrefix("10.1.0.1/24")), s.AddRoute(stack.Route{Destination: any4}),
		s.RemoveRoute(stack.Route{Destination: any4}), s.RemoveDevice(mine), s.RemoveAddress(netip.MustParseAddr("10.0.0.1")),
	} {
		assert.ErrorIs(t, err, wsa.WSAENETDOWN)
	}
}

// A route is used from the next connection on, and no longer when it has gone;
// of two with different gateways the other one stays.
func TestRoutes(t *testing.T) {
	for _, tt := range []struct{ to, destination, gateway, other string }{
		{"10.9.0.9:80", "10.9.0.0/16", "10.0.0.9", "10.0.0.8"},
		{"[fd09::9]:80", "fd09::/16", "fd00::9", "fd00::8"},
	} {
		n := simnet.New(t)
		a := n.HostConfig("a", stack.Config{Addresses: prefixes("10.0.0.1/24", "fd00::1/64"), Routes: []stack.Route{}})
		n.Wire(a, "net", "10.9.0.9", "fd09::9")
		syns := func() (k int) {
			for _, l := range n.Trace() {
				if l.Segment.Flags == trace.SYN && l.Dest.String() == tt.to {
					k++
				}
			}
			n.ClearTrace()
			return k
		}
		dial := func() (err error) {
			require.NoError(t, n.Do("dial", func() { _, err = a.Dial("tcp", tt.to) }))
			return err
		}
		first := stack.Route{Destination: netip.MustParsePrefix(tt.destination), Gateway: netip.MustParseAddr(tt.gateway)}
		second := stack.Route{Destination: first.Destination, Gateway: netip.MustParseAddr(tt.other)}
		require.ErrorIs(t, dial(), wsa.WSAENETUNREACH)
		require.NoError(t, a.AddRoute(first))
		require.NoError(t, a.AddRoute(second))
		for _, r := range []stack.Route{first, second} {
			require.ErrorIs(t, dial(), wsa.WSAETIMEDOUT)
			require.NotZero(t, syns())
			require.NoError(t, a.RemoveRoute(r))
			require.ErrorContains(t, a.RemoveRoute(r), "no such")
		}
		require.ErrorIs(t, dial(), wsa.WSAENETUNREACH)
		require.Zero(t, syns())
	}
}

// A cable is an end of a second link between two hosts, on the network's clock.
// (A Func has a goroutine that virtual time doesn't wait for.)
type cable struct {
	n       *simnet.Network
	sent    *int
	peer    *cable
	receive func([]tun.Packet)
}

func (c *cable) MTU() int             { return 1500 }
func (c *cable) Offload() tun.Offload { return tun.Offload{} }
func (c *cable) Close() error         { c.receive = nil; return nil }

func (c *cable) Start(receive func([]tun.Packet)) error {
	c.receive = receive
	return nil
}

func (c *cable) Send(packets []tun.Packet) error {
	for i := range packets {
		*c.sent++
		packet := tun.Packet{Data: packets[i].Data.Clone()}
		c.n.Clock().AfterFunc(time.Millisecond, func() {
			if c.peer.receive != nil {
				c.peer.receive([]tun.Packet{packet})
			}
		})
	}
	return nil
}

// joined adds a second interface to two hosts, which count what they send.
func joined(t *testing.T, n *simnet.Network, a, b *simnet.Host, sent *int, addrs ...string) (da, db *cable) {
	da, db = &cable{n: n, sent: sent}, &cable{n: n, sent: new(int)}
	da.peer, db.peer = db, da
	require.NoError(t, a.AddDevice(da, prefixes(addrs[:len(addrs)/2]...)...))
	require.NoError(t, b.AddDevice(db, prefixes(addrs[len(addrs)/2:]...)...))
	return da, db
}

// RemoveDevice ends what was connected over the interface, without a segment,
// and leaves the rest alone; the same addresses can come back on another.
func TestRemoveDevice(t *testing.T) {
	n := simnet.New(t)
	a, b := n.Host("a", "10.0.0.1/24", "fd00::1/64"), n.Host("b", "10.0.0.2/24", "fd00::2/64")
	n.Link(a, b)
	l, err := b.Listen("tcp", ":80")
	require.NoError(t, err)
	for round := range 2 {
		var sent int
		da, db := joined(t, n, a, b, &sent, "10.5.0.1/24", "fd05::1/64", "10.5.0.2/24", "fd05::2/64")
		require.NoError(t, n.Do("test", func() {
			stay, err := a.Dial("tcp", "10.0.0.2:80")
			require.NoError(t, err)
			var lost []net.Conn
			for _, to := range []string{"10.5.0.2:80", "[fd05::2]:80"} {
				c, err := a.Dial("tcp", to)
				require.NoError(t, err)
				lost = append(lost, c)
			}
			udp, err := a.Dial("udp", "10.5.0.2:80")
			require.NoError(t, err)
			wild, err := a.ListenPacket("udp", ":0")
			require.NoError(t, err)
			n.Sleep(time.Second)

			sent = 0
			require.NoError(t, a.RemoveDevice(da))
			for _, c := range lost {
				_, err := c.Read(make([]byte, 1))
				require.ErrorIs(t, err, wsa.WSAECONNABORTED)
			}
			_, err = udp.Write([]byte("x"))
			require.Error(t, err)
			_, err = a.Dial("tcp", "10.5.0.2:80")
			require.ErrorIs(t, err, wsa.WSAETIMEDOUT, "the default route is left")
			_, err = wild.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(netip.MustParseAddrPort("10.5.0.2:80")))
			require.NoError(t, err, "so is it for datagrams")
			require.Zero(t, sent)
			_, err = stay.Write([]byte("x"))
			require.NoError(t, err)
			require.ErrorContains(t, a.RemoveDevice(da), "none of the stack's")
			for _, c := range []net.Conn{stay, udp} {
				require.NoError(t, c.Close())
			}
			require.NoError(t, wild.Close())
			for range 3 {
				c, err := l.Accept()
				require.NoError(t, err)
				require.NoError(t, c.(interface{ SetLinger(int) error }).SetLinger(0))
				require.NoError(t, c.Close())
			}
		}))
		require.NoError(t, b.RemoveDevice(db))
		require.NoError(t, da.Close())
		require.Len(t, a.Netstack().NICInfo(), 2, "round %d", round)
		for _, r := range a.Netstack().GetRouteTable() {
			require.False(t, strings.HasPrefix(r.Destination.String(), "10.5."), r.String())
			require.False(t, strings.HasPrefix(r.Destination.String(), "fd05:"), r.String())
		}
	}
}
