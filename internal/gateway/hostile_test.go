package gateway_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/gateway"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// The host has a TCP and a UDP server on each of its loopback addresses, at one port. Packets for
// every spelling of the host come in, from a sender that makes them by hand, and a policy permits
// everything that a policy can permit. The servers hear of the door only.
func TestNothingElseReachesTheLoopback(t *testing.T) {
	each(t, func(t *testing.T, family string) {
		l, err := net.Listen("tcp", net.JoinHostPort(loopbacks[family], "0"))
		if err != nil {
			t.Skipf("no %s on this host's loopback: %v", family, err)
		}
		defer l.Close()
		u, err := net.ListenPacket("udp", l.Addr().String())
		require.NoError(t, err)
		defer u.Close()
		cfg, err := gateway.Parse(gateway.Words{Allow: []string{"0.0.0.0/0", "::/0"}, HostLoopback: []string{doors[family]}})
		require.NoError(t, err)
		device := tun.NewFunc(1500, nil)
		s, err := stack.New(stack.Config{Device: device, Addresses: []netip.Prefix{
			netip.MustParsePrefix("10.77.0.1/24"), netip.MustParsePrefix("fd77::1/64"),
		}})
		require.NoError(t, err)
		defer s.Close()
		g, err := gateway.Start(s, cfg)
		require.NoError(t, err)

		port := uint16(l.Addr().(*net.TCPAddr).Port)
		packets := uint64(0)
		for _, text := range append(nowhere, doors[family]) {
			to := netip.MustParseAddr(text)
			from := netip.MustParseAddr("fd77::2")
			if to.Is4() {
				from = netip.MustParseAddr("10.77.0.2")
			}
			device.Inject(simnet.EncodeIP(from, to, 6, syn(port)))
			device.Inject(simnet.EncodeIP(from, to, 17, question(port, text)))
			packets += 2
		}
		// The door answers; then the others have been judged, when no decision is under way.
		c, err := l.Accept()
		require.NoError(t, err)
		defer c.Close()
		b := make([]byte, 100)
		n, _, err := u.ReadFrom(b)
		require.NoError(t, err)
		require.Equal(t, doors[family], string(b[:n]))
		for s.Stats().PacketsIn+s.Stats().Dropped+s.Stats().Malformed < packets {
			runtime.Gosched()
		}
		require.NoError(t, g.Close())

		// What has come, has come before this.
		marker, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		defer marker.Close()
		c, err = l.Accept()
		require.NoError(t, err)
		require.Equal(t, marker.LocalAddr().String(), c.RemoteAddr().String(), "something else has connected")
		require.NoError(t, c.Close())
		_, err = u.WriteTo([]byte("marker"), u.LocalAddr())
		require.NoError(t, err)
		n, _, err = u.ReadFrom(b)
		require.NoError(t, err)
		require.Equal(t, "marker", string(b[:n]))
	})
}

// syn is a SYN to a port.
func syn(port uint16) []byte {
	b := make([]byte, 20)
	binary.BigEndian.PutUint16(b, 1000)
	binary.BigEndian.PutUint16(b[2:], port)
	b[7], b[12], b[13], b[14] = 1, 5<<4, 0x02, 0xff
	return b
}

// question is a datagram to a port.
func question(port uint16, text string) []byte {
	b := make([]byte, 8, 8+len(text))
	binary.BigEndian.PutUint16(b, 1000)
	binary.BigEndian.PutUint16(b[2:], port)
	binary.BigEndian.PutUint16(b[4:], uint16(8+len(text)))
	return append(b, text...)
}
