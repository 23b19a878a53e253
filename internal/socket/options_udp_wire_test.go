package socket_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/sockettest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// UDP_NOCHECKSUM: the checksum field is 0 on IPv4.
func TestWireNoChecksum(t *testing.T) {
	st, wire := tapped(t)
	s := sockettest.NewSocket(t, st, wsa.AF_INET, wsa.SOCK_DGRAM)
	checksum := func() uint16 {
		_, err := s.SendTo([]byte("x"), 0, wireFamilies[0].peer)
		require.Zero(t, err)
		return binary.BigEndian.Uint16(wire.one(t).transport()[6:])
	}
	assert.NotZero(t, checksum())
	set(t, s, wsa.IPPROTO_UDP, wsa.UDP_NOCHECKSUM, 1)
	assert.Zero(t, checksum())
	set(t, s, wsa.IPPROTO_UDP, wsa.UDP_CHECKSUM_COVERAGE, 1)
	assert.NotZero(t, checksum())
}

// UDP_SEND_MSG_SIZE cuts a message up.
func TestWireSendMessageSize(t *testing.T) {
	st, wire := tapped(t)
	for _, f := range wireFamilies {
		s := sockettest.NewSocket(t, st, f.family, wsa.SOCK_DGRAM)
		set(t, s, wsa.IPPROTO_UDP, wsa.UDP_SEND_MSG_SIZE, 1000)
		n, err := s.SendTo(make([]byte, 2500), 0, f.peer)
		require.Zero(t, err)
		assert.Equal(t, 2500, n)
		var sizes []int
		for _, p := range wire.take() {
			sizes = append(sizes, len(p.transport())-8)
		}
		assert.Equal(t, []int{1000, 1000, 500}, sizes)
	}
}

// IP_MULTICAST_IF and IP_UNICAST_IF choose the device, among those that have a
// route.
func TestWireInterface(t *testing.T) {
	st, first := tapped(t)
	second := &tap{}
	require.NoError(t, st.AddDevice(tun.NewFunc(1500, second.out),
		netip.MustParsePrefix("10.0.1.1/24"), netip.MustParsePrefix("fd01::1/64")))
	index := map[string][2]uint32{"IPv4": {2 << 24, 3 << 24}, "IPv6": {2, 3}} // C-41
	beyond := map[string]netip.AddrPort{                                      // on link with the second, and the first has a default route
		"IPv4": netip.MustParseAddrPort("10.0.1.9:9"), "IPv6": netip.MustParseAddrPort("[fd01::9]:9"),
	}
	for _, f := range wireFamilies {
		for _, tc := range []struct {
			name  string
			opt   int32 // the same number at both levels
			to    netip.AddrPort
			usual *tap
		}{
			{"multicast", wsa.IP_MULTICAST_IF, f.group, first},
			{"unicast", wsa.IP_UNICAST_IF, beyond[f.name], second},
		} {
			t.Run(f.name+"/"+tc.name, func(t *testing.T) {
				s := sockettest.NewSocket(t, st, f.family, wsa.SOCK_DGRAM)
				send := func(wire *tap) {
					t.Helper()
					_, err := s.SendTo([]byte("x"), 0, tc.to)
					require.Zero(t, err)
					assert.Equal(t, tc.to.Addr(), wire.one(t).destination())
				}
				send(tc.usual)
				for i, wire := range []*tap{first, second} {
					set(t, s, f.level, tc.opt, index[f.name][i])
					send(wire)
				}
				set(t, s, f.level, tc.opt, 0)
				send(tc.usual)
			})
		}
	}
	for _, f := range wireFamilies { // IP_UNICAST_IF counts at connect, too
		for _, typ := range []int32{wsa.SOCK_DGRAM, wsa.SOCK_STREAM} {
			for i, wire := range []*tap{first, second} {
				s := sockettest.NewSocket(t, st, f.family, typ)
				s.SetNonblocking(true)
				set(t, s, f.level, wsa.IP_UNICAST_IF, index[f.name][i])
				err := s.Connect(beyond[f.name])
				if typ == wsa.SOCK_DGRAM {
					require.Zero(t, err)
					_, err = s.Send([]byte("x"), 0)
					require.Zero(t, err)
				} else {
					require.Equal(t, wsa.WSAEWOULDBLOCK, err)
				}
				assert.Equal(t, beyond[f.name].Addr(), wire.one(t).destination(), "%s, type %d, interface %d", f.name, typ, i)
				s.Close()
			}
		}
	}
	s := sockettest.NewSocket(t, st, wsa.AF_INET, wsa.SOCK_DGRAM)
	require.Zero(t, s.SetSockOpt(wsa.IPPROTO_IP, wsa.IP_MULTICAST_IF, []byte{10, 0, 1, 1}), "by address")
	buf := make([]byte, 4)
	_, err := s.GetSockOpt(wsa.IPPROTO_IP, wsa.IP_MULTICAST_IF, buf)
	require.Zero(t, err)
	assert.Equal(t, u32(3), buf)
}

// Accepted sockets and later endpoints have the values that were set early.
func TestCongestionAlgorithm(t *testing.T) {
	a, b := sockettest.Pair(t)
	client, server := sockettest.ConnectedSockets(t, a, b)
	for _, s := range []*socket.Socket{client, server} {
		for _, algorithm := range []uint32{1, 2, 0} {
			set(t, s, wsa.IPPROTO_TCP, wsa.TCP_CONGESTION_ALGORITHM, algorithm)
			_, err := s.Send([]byte("data"), 0)
			require.Zero(t, err)
		}
	}
}

// IP_MULTICAST_IF of a connected socket.
func TestWireInterface_Connected(t *testing.T) {
	st, first := tapped(t)
	second := &tap{}
	require.NoError(t, st.AddDevice(tun.NewFunc(1500, second.out),
		netip.MustParsePrefix("10.0.1.1/24"), netip.MustParsePrefix("fd01::1/64")))
	for i, f := range wireFamilies {
		t.Run(f.name, func(t *testing.T) {
			for _, bound := range []bool{true, false} {
				s := sockettest.NewSocket(t, st, f.family, wsa.SOCK_DGRAM)
				if bound {
					local := []string{"10.0.1.1:0", "[fd01::1]:0"}[i]
					require.Zero(t, s.Bind(netip.MustParseAddrPort(local)))
				}
				set(t, s, f.level, wsa.IP_MULTICAST_IF, []uint32{3 << 24, 3}[i])
				require.Zero(t, s.Connect(f.group))
				_, err := s.Send([]byte("x"), 0)
				require.Zero(t, err)
				assert.Equal(t, f.group.Addr(), second.one(t).destination())
				assert.Empty(t, first.take())
			}
		})
	}
}
