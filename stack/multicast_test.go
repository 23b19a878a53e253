package stack_test

import (
	"errors"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// A groupUser is what PacketConn has of golang.org/x/net/ipv4 and ipv6, in the
// same form.
type groupUser interface {
	net.PacketConn
	JoinGroup(ifi *net.Interface, group net.Addr) error
	LeaveGroup(ifi *net.Interface, group net.Addr) error
	JoinSourceSpecificGroup(ifi *net.Interface, group, source net.Addr) error
	LeaveSourceSpecificGroup(ifi *net.Interface, group, source net.Addr) error
	ExcludeSourceSpecificGroup(ifi *net.Interface, group, source net.Addr) error
	IncludeSourceSpecificGroup(ifi *net.Interface, group, source net.Addr) error
	SetMulticastInterface(ifi *net.Interface) error
	MulticastInterface() (*net.Interface, error)
	SetMulticastLoopback(on bool) error
	MulticastLoopback() (bool, error)
	SetMulticastTTL(ttl int) error
	MulticastTTL() (int, error)
	SetMulticastHopLimit(hoplim int) error
	MulticastHopLimit() (int, error)
}

// groupFamilies are groups with addresses of pair, for sockets of a network.
var groupFamilies = []struct{ network, group, sender, receiver string }{
	{"udp4", "239.1.2.3", "10.0.0.1", "10.0.0.2"},
	{"udp6", "ff05::123", "fd00::1", "fd00::2"},
	{"udp", "239.1.2.3", "10.0.0.1", "10.0.0.2"},
	{"udp", "ff05::123", "fd00::1", "fd00::2"},
}

// ipAddr is an address without a port, as a group or a source.
func ipAddr(s string) net.Addr { return &net.IPAddr{IP: net.ParseIP(s)} }

// receives checks that these are the next datagrams of a socket.
func receives(t *testing.T, c net.PacketConn, want ...string) {
	t.Helper()
	for _, text := range want {
		b := make([]byte, 100)
		n, _, err := c.ReadFrom(b)
		require.NoError(t, err)
		require.Equal(t, text, string(b[:n]))
	}
}

// queued reads what a socket has.
func queued(t *testing.T, c *endpoint.PacketConn) (texts []string) {
	t.Helper()
	require.NoError(t, c.SetNonblocking(true))
	b := make([]byte, 100)
	n, _, err := c.ReadFrom(b)
	for ; err == nil; n, _, err = c.ReadFrom(b) {
		texts = append(texts, string(b[:n]))
	}
	require.ErrorIs(t, err, wsa.WSAEWOULDBLOCK)
	return texts
}

// PacketConn joins and leaves groups of both families, for any source and for
// some, without a descriptor. A unicast datagram behind one that is left out shows
// that it is.
func TestPacketConnGroups(t *testing.T) {
	for _, f := range groupFamilies {
		t.Run(f.network+" "+f.group, func(t *testing.T) {
			a, b := pair(t)
			from, err := a.ListenPacket(f.network, ":0")
			require.NoError(t, err)
			conn, err := b.ListenPacket(f.network, ":7000")
			require.NoError(t, err)
			defer conn.Close()
			c := conn.(groupUser)
			group, sender, other := ipAddr(f.group), ipAddr(f.sender), ipAddr(f.receiver)
			send := func(text string, gets bool) {
				t.Helper()
				for _, to := range []string{f.group, f.receiver} {
					_, err := from.WriteTo([]byte(text+to), &net.UDPAddr{IP: net.ParseIP(to), Port: 7000})
					require.NoError(t, err)
				}
				if gets {
					receives(t, c, text+f.group)
				}
				receives(t, c, text+f.receiver)
			}
			send("before", false)
			require.NoError(t, c.JoinGroup(nil, group))
			send("joined", true)
			require.ErrorIs(t, c.JoinGroup(nil, group), wsa.WSAEADDRNOTAVAIL)
			require.NoError(t, c.ExcludeSourceSpecificGroup(nil, group, sender))
			send("excluded", false)
			require.NoError(t, c.IncludeSourceSpecificGroup(nil, group, sender))
			send("included", true)
			require.NoError(t, c.LeaveGroup(nil, group))
			send("left", false)
			require.NoError(t, c.JoinSourceSpecificGroup(nil, group, other))
			send("another source", false)
			require.NoError(t, c.JoinSourceSpecificGroup(nil, group, sender))
			send("the source", true)
			require.NoError(t, c.LeaveSourceSpecificGroup(nil, group, sender))
			send("the source left", false)
		})
	}
}

// ListenMulticastUDP joins the group on a port that several may have. What the host
// sends itself comes when SetMulticastLoopback says so.
func TestListenMulticastUDP(t *testing.T) {
	for _, f := range groupFamilies {
		t.Run(f.network+" "+f.group, func(t *testing.T) {
			a, b := pair(t)
			group := &net.UDPAddr{IP: net.ParseIP(f.group), Port: 7000}
			first, err := b.ListenMulticastUDP(f.network, nil, group)
			require.NoError(t, err)
			device := b.NetInterfaces()[1]
			second, err := b.ListenMulticastUDP(f.network, &device, group)
			require.NoError(t, err)
			also, err := b.ListenPacket(f.network, group.String()) // joins nothing
			require.NoError(t, err)
			require.NoError(t, also.(*endpoint.PacketConn).JoinGroup(&device, group))
			for text, s := range map[string]*stack.Stack{"from b": b, "from a": a} {
				from, err := s.ListenPacket(f.network, ":0")
				require.NoError(t, err)
				_, err = from.WriteTo([]byte(text), group)
				require.NoError(t, err)
				require.NoError(t, from.Close())
			}
			stack.Settle(a, b)
			require.Equal(t, []string{"from a"}, queued(t, second))
			on, err := second.MulticastLoopback()
			require.NoError(t, err)
			require.False(t, on)
			ifi, err := second.MulticastInterface()
			require.NoError(t, err)
			require.Equal(t, &net.Interface{Index: device.Index}, ifi)
			require.NoError(t, second.SetMulticastLoopback(true))
			_, err = also.WriteTo([]byte("from here"), group)
			require.NoError(t, err)
			b.Settle()
			require.Equal(t, []string{"from here"}, queued(t, second))
			require.Equal(t, []string{"from a"}, queued(t, first))
			require.ElementsMatch(t, []string{"from a", "from b", "from here"}, queued(t, also.(*endpoint.PacketConn)), "its loopback is on")
		})
	}
}

// recorder is a device that keeps what leaves by it.
func recorder(t *testing.T) (d *tun.Func, sent chan []byte) {
	sent = make(chan []byte, 100)
	return tun.NewFunc(1500, func(p []byte) { sent <- append([]byte(nil), p...) }), sent
}

// Datagrams to groups leave by the interface that was chosen, with the time to
// live that was set for their family.
func TestMulticastInterface(t *testing.T) {
	for _, f := range groupFamilies {
		t.Run(f.network+" "+f.group, func(t *testing.T) {
			d0, sent0 := recorder(t)
			d1, sent1 := recorder(t)
			s, err := stack.New(stack.Config{Device: d0, Addresses: prefixes("10.0.0.1/24", "fd00::1/64")})
			require.NoError(t, err)
			defer s.Close()
			require.NoError(t, s.AddDevice(d1, prefixes("10.1.0.1/24", "fd01::1/64")...))
			interfaces := s.NetInterfaces()
			require.Len(t, interfaces, 3)
			require.Equal(t, net.Interface{Index: 1, MTU: 65536, Name: "lo", Flags: net.FlagUp | net.FlagRunning | net.FlagMulticast | net.FlagLoopback}, interfaces[0])
			require.Equal(t, "tun1", interfaces[2].Name)
			conn, err := s.ListenPacket(f.network, ":0")
			require.NoError(t, err)
			defer conn.Close()
			c := conn.(groupUser)
			group := &net.UDPAddr{IP: net.ParseIP(f.group), Port: 7000}
			ttlAt := 8 // in the header of IPv4
			setTTL, ttl := c.SetMulticastTTL, c.MulticastTTL
			if group.IP.To4() == nil {
				ttlAt, setTTL, ttl = 7, c.SetMulticastHopLimit, c.MulticastHopLimit
			}
			for i, sent := range []chan []byte{sent0, sent1} {
				require.NoError(t, c.SetMulticastInterface(&interfaces[i+1]))
				ifi, err := c.MulticastInterface()
				require.NoError(t, err)
				require.Equal(t, i+2, ifi.Index)
				for _, hops := range []int{1, 255} {
					require.NoError(t, setTTL(hops))
					got, err := ttl()
					require.NoError(t, err)
					require.Equal(t, hops, got)
					_, err = c.WriteTo([]byte("hello"), group)
					require.NoError(t, err)
					s.Settle()
					require.Len(t, sent, 1)
					packet := <-sent
					require.EqualValues(t, hops, packet[ttlAt])
				}
			}
			require.NoError(t, c.SetMulticastInterface(nil))
			ifi, err := c.MulticastInterface()
			require.NoError(t, err)
			require.Nil(t, ifi)
			require.Empty(t, sent0)
			require.Empty(t, sent1)
		})
	}
}

// What can't be is an error that says why, and changes nothing.
func TestMulticastErrors(t *testing.T) {
	a, _ := pair(t)
	open := func(network string) groupUser {
		c, err := a.ListenPacket(network, ":0")
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		return c.(groupUser)
	}
	c4, c6 := open("udp4"), open("udp")
	group, group6, host := ipAddr("239.1.2.3"), ipAddr("ff05::1"), ipAddr("10.0.0.2")
	closed := open("udp")
	require.NoError(t, closed.Close())
	for name, tt := range map[string]struct {
		err  error
		want wsa.Errno
	}{
		"no group":                      {c4.JoinGroup(nil, nil), wsa.WSAEFAULT},
		"a nil group":                   {c4.JoinGroup(nil, (*net.UDPAddr)(nil)), wsa.WSAEFAULT},
		"an empty group":                {c4.JoinGroup(nil, &net.IPAddr{}), wsa.WSAEFAULT},
		"an address of TCP":             {c4.JoinGroup(nil, &net.TCPAddr{IP: net.IPv4(239, 1, 2, 3)}), wsa.WSAEFAULT},
		"no source":                     {c4.JoinSourceSpecificGroup(nil, group, nil), wsa.WSAEFAULT},
		"a host as the group":           {c4.JoinGroup(nil, host), wsa.WSAEINVAL},
		"a group as the source":         {c4.JoinSourceSpecificGroup(nil, group, group), wsa.WSAEINVAL},
		"two families":                  {c6.JoinSourceSpecificGroup(nil, group6, host), wsa.WSAEINVAL},
		"IPv6 on a socket of IPv4":      {c4.JoinGroup(nil, group6), wsa.WSAENOPROTOOPT},
		"hops on a socket of IPv4":      {c4.SetMulticastHopLimit(3), wsa.WSAENOPROTOOPT},
		"no such interface":             {c4.JoinGroup(&net.Interface{Index: 99}, group), wsa.WSAEADDRNOTAVAIL},
		"the zero interface":            {c4.JoinGroup(&net.Interface{}, group), wsa.WSAEADDRNOTAVAIL},
		"a negative one":                {c6.SetMulticastInterface(&net.Interface{Index: -1}), wsa.WSAEADDRNOTAVAIL},
		"one that is too high":          {c6.SetMulticastInterface(&net.Interface{Index: 1<<32 + 2}), wsa.WSAEADDRNOTAVAIL},
		"a group that was never joined": {c4.LeaveGroup(nil, group), wsa.WSAEADDRNOTAVAIL},
		"excluding before joining":      {c4.ExcludeSourceSpecificGroup(nil, group, host), wsa.WSAEINVAL},
		"a TTL above 255":               {c4.SetMulticastTTL(256), wsa.WSAEINVAL},
		"a negative TTL":                {c4.SetMulticastTTL(-1), wsa.WSAEINVAL},
		"a closed socket":               {closed.JoinGroup(nil, group), wsa.WSAENOTSOCK},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, tt.err, tt.want)
			var op *net.OpError
			require.True(t, errors.As(tt.err, &op))
		})
	}
	for _, c := range []groupUser{c4, c6} {
		ifi, err := c.MulticastInterface()
		require.NoError(t, err)
		require.Nil(t, ifi)
		ttl, err := c.MulticastTTL()
		require.NoError(t, err)
		require.Equal(t, 1, ttl)
	}
	for _, tt := range []struct {
		network string
		group   *net.UDPAddr
	}{
		{"udp", nil}, {"udp", &net.UDPAddr{Port: 1}}, {"tcp", &net.UDPAddr{IP: net.IPv4(239, 1, 2, 3)}}, {"udpx", &net.UDPAddr{IP: net.IPv4(239, 1, 2, 3)}},
		{"udp6", &net.UDPAddr{IP: net.IPv4(239, 1, 2, 3)}}, {"udp4", &net.UDPAddr{IP: net.ParseIP("ff05::1")}}, {"udp", &net.UDPAddr{IP: net.IPv4(10, 0, 0, 1)}},
	} {
		_, err := a.ListenMulticastUDP(tt.network, nil, tt.group)
		var op *net.OpError
		require.True(t, errors.As(err, &op), "%v", tt)
		require.Equal(t, "listen", op.Op)
	}
	open2 := a.Stats().Sockets
	_, err := a.ListenMulticastUDP("udp", &net.Interface{Index: 99}, &net.UDPAddr{IP: net.IPv4(239, 1, 2, 3), Port: 7000})
	require.ErrorIs(t, err, wsa.WSAEADDRNOTAVAIL)
	require.Equal(t, open2, a.Stats().Sockets, "sockets: the one that failed is closed")
}
