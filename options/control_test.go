package options

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

// Every control code: NULL, short and enough input, on every kind of socket.
func TestControl_Lengths(t *testing.T) {
	require.NotEmpty(t, Controls())
	out := make([]byte, 1000)
	for _, c := range Controls() {
		for _, kind := range allKinds {
			ep := newFake(kind)
			ep.state, ep.connected = Connected, true
			v := ep.values()
			before := *v
			has := slices.Contains(c.Kinds, kind.String())
			n, err, ok := Control(v, ep, c.Code, nil, out)
			assert.Equal(t, !c.Elsewhere, ok, c.Symbol)
			if c.Size > 0 || c.Unsupported != "" {
				assert.Zero(t, n, c.Symbol)
			}
			if c.Elsewhere {
				continue
			}
			if c.Unsupported != "" {
				assert.Equal(t, wsa.WSAEOPNOTSUPP, err, c.Symbol)
				continue
			}
			if c.Size > 0 {
				assert.Equal(t, wsa.WSAEFAULT, err, "%s, NULL", c.Symbol)
			}
			for size := range c.Size {
				n, err, _ = Control(v, ep, c.Code, make([]byte, size), out)
				assert.Zero(t, n)
				want := wsa.WSAEFAULT
				if c.Code == wsa.SIO_TCP_INFO {
					want = wsa.WSAEMSGSIZE
				}
				if has {
					assert.Equal(t, want, err, "%s, %d bytes", c.Symbol, size)
				} else {
					assert.NotZero(t, err)
				}
			}
			assert.Equal(t, before, *v)
		}
	}
}

// Codes without output store their input; more of it than needed is no fault.
func TestControl_Kinds(t *testing.T) {
	for _, c := range Controls() {
		if c.Elsewhere || c.Unsupported != "" || c.Output != "" {
			continue
		}
		for _, kind := range allKinds {
			ep := newFake(kind)
			v := ep.values()
			before := *v
			has := slices.Contains(c.Kinds, kind.String())
			n, err, _ := Control(v, ep, c.Code, make([]byte, c.Size+3), nil)
			assert.Zero(t, n)
			assert.Equal(t, has, err == 0, "%s on %v", c.Symbol, kind)
			if !has {
				assert.Equal(t, before, *v)
			}
		}
	}
}

// Queries write what they say, no byte more, and nothing into a short buffer.
func TestControl_Queries(t *testing.T) {
	sockaddr := func(s string) []byte { return wsa.AppendSockaddr(nil, netip.MustParseAddrPort(s)) }
	for _, tt := range []struct {
		name   string
		family int32
		kind   Kind
		code   uint32
		in     []byte
		size   int
		short  wsa.Errno
		needed bool // a short buffer learns the size
	}{
		{"TCP_INFO v0", wsa.AF_INET, Stream, wsa.SIO_TCP_INFO, le(0), 88, wsa.WSAEINVAL, false},
		{"TCP_INFO v1", wsa.AF_INET6, Stream, wsa.SIO_TCP_INFO, le(1), 136, wsa.WSAEINVAL, false},
		{"TCP_INFO v2", wsa.AF_INET, Stream, wsa.SIO_TCP_INFO, le(2), 152, wsa.WSAEINVAL, false},
		{"backlog", wsa.AF_INET, Stream, wsa.SIO_IDEAL_SEND_BACKLOG_QUERY, nil, 4, wsa.WSAEFAULT, false},
		{"addresses", wsa.AF_INET, Datagram, wsa.SIO_ADDRESS_LIST_QUERY, nil, 8 + 16 + 16, wsa.WSAEFAULT, true},
		{"addresses, IPv6", wsa.AF_INET6, Stream, wsa.SIO_ADDRESS_LIST_QUERY, nil, 8 + 16 + 28, wsa.WSAEFAULT, true},
		{"route", wsa.AF_INET, Raw, wsa.SIO_ROUTING_INTERFACE_QUERY, sockaddr("10.0.0.7:0"), 16, wsa.WSAEFAULT, false},
		{"route, IPv6", wsa.AF_INET6, Stream, wsa.SIO_ROUTING_INTERFACE_QUERY, sockaddr("[fd00::7]:0"), 28, wsa.WSAEFAULT, false},
		{"interfaces", wsa.AF_INET, Datagram, wsa.SIO_GET_INTERFACE_LIST, nil, 2 * 76, wsa.WSAEFAULT, true},
		{"interfaces, IPv6", wsa.AF_INET6, Datagram, wsa.SIO_GET_INTERFACE_LIST, nil, 2 * 76, wsa.WSAEFAULT, true},
		{"broadcast", wsa.AF_INET, Datagram, wsa.SIO_GET_BROADCAST_ADDRESS, nil, 16, wsa.WSAEFAULT, false},
		{"base handle", wsa.AF_INET, Stream, wsa.SIO_BASE_HANDLE, nil, 8, wsa.WSAEFAULT, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ep := newFake(tt.kind)
			ep.family, ep.state, ep.connected = tt.family, Connected, true
			v := ep.values()
			for size := range tt.size {
				out := filled(size)
				n, err, _ := Control(v, ep, tt.code, tt.in, out)
				assert.Equal(t, tt.short, err, "%d bytes", size)
				assert.Equal(t, filled(size), out)
				want := 0
				if tt.needed {
					want = tt.size
				}
				assert.Equal(t, want, n)
			}
			out := filled(tt.size + 5)
			n, err, _ := Control(v, ep, tt.code, tt.in, out)
			assert.Zero(t, err)
			assert.Equal(t, tt.size, n)
			assert.Equal(t, filled(5), out[tt.size:])
			_, err, _ = Control(v, ep, tt.code, tt.in, nil)
			assert.Equal(t, tt.short, err, "NULL")
		})
	}
}

func TestControl_QueryValues(t *testing.T) {
	ep := newFake(Datagram)
	v, out := ep.values(), make([]byte, 500)
	n, err, _ := Control(v, ep, wsa.SIO_ADDRESS_LIST_QUERY, nil, out)
	require.Zero(t, err)
	addrs, err := wsa.ParseAddressList(out[:n])
	require.Zero(t, err)
	assert.Equal(t, []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:0")}, addrs)

	_, err, _ = Control(v, ep, wsa.SIO_GET_INTERFACE_LIST, nil, out)
	require.Zero(t, err)
	lo, _ := wsa.ParseInterfaceInfo(out)
	assert.EqualValues(t, wsa.IFF_UP|wsa.IFF_MULTICAST|wsa.IFF_LOOPBACK, lo.Flags)
	assert.Equal(t, "255.0.0.0", lo.Netmask.String())
	second, _ := wsa.ParseInterfaceInfo(out[wsa.SizeofInterfaceInfo:])
	assert.EqualValues(t, wsa.IFF_UP|wsa.IFF_MULTICAST|wsa.IFF_BROADCAST, second.Flags)
	assert.Equal(t, "10.0.0.1 10.0.0.255 255.255.255.0", fmt.Sprint(second.Address, second.Broadcast, second.Netmask))
}

func TestControl_Values(t *testing.T) {
	set := func(kind Kind, code uint32, in ...byte) Values {
		ep := newFake(kind)
		v := ep.values()
		_, err, ok := Control(v, ep, code, in, nil)
		require.True(t, ok)
		require.Zero(t, err)
		return *v
	}
	assert.True(t, newFake(Datagram).values().UDP.ConnReset, "default")
	assert.False(t, set(Datagram, wsa.SIO_UDP_CONNRESET, 0, 0, 0, 0).UDP.ConnReset)
	assert.False(t, set(Datagram, wsa.SIO_UDP_NETRESET, 0, 0, 0, 0).UDP.NetReset)
	assert.True(t, set(Datagram, wsa.SIO_UDP_NETRESET, 0, 1, 0, 0).UDP.NetReset)
	assert.True(t, set(Stream, wsa.SIO_LOOPBACK_FAST_PATH, 1, 0, 0, 0).FastLoopback)
	assert.EqualValues(t, 1, set(Stream, wsa.SIO_TCP_SET_ACK_FREQUENCY, 1).TCP.AckFrequency)
	assert.EqualValues(t, 2, set(Stream, wsa.SIO_TCP_SET_ICW, 2, 0, 0, 0).TCP.InitialWindow)
	assert.True(t, set(Datagram, wsa.SIO_SET_COMPATIBILITY_MODE, 1, 0, 0, 0, 0, 6, 0, 0).CompatibleRecvBuffer)
	v := set(Stream, wsa.SIO_TCP_INITIAL_RTO, 0xB8, 0x0B, 0xFE, 0)
	assert.EqualValues(t, 3000, v.TCP.InitialRTT)
	assert.EqualValues(t, 0xFE, v.TCP.MaxSynRetransmissions)
	v = set(Stream, wsa.SIO_TCP_INITIAL_RTO, 0xFF, 0xFF, 0xFF, 0)
	assert.Zero(t, v.TCP.InitialRTT, "unspecified")
	assert.Zero(t, v.TCP.MaxSynRetransmissions, "unspecified")
}

func TestControl_Errors(t *testing.T) {
	ep := newFake(Stream)
	for _, code := range []uint32{wsa.FIONBIO, 0, 0xFFFFFFFF} {
		_, _, ok := Control(ep.values(), ep, code, le(1), nil)
		assert.False(t, ok)
	}
	for _, tc := range []struct {
		kind  Kind
		state State
		code  uint32
		in    []byte
		want  wsa.Errno
	}{
		{Datagram, Fresh, wsa.SIO_TCP_INITIAL_RTO, le(0), wsa.WSAEINVAL},
		{Stream, Connecting, wsa.SIO_TCP_INITIAL_RTO, le(0), wsa.WSAEINVAL},
		{Stream, Connected, wsa.SIO_TCP_INITIAL_RTO, le(0), wsa.WSAEINVAL},
		{Stream, Fresh, wsa.SIO_UDP_CONNRESET, le(0), wsa.WSAEOPNOTSUPP},
		{Datagram, Fresh, wsa.SIO_TCP_INFO, le(0), wsa.WSAEOPNOTSUPP},
		{Stream, Connected, wsa.SIO_TCP_INFO, le(3), wsa.WSAEINVAL},
		{Stream, Connected, wsa.SIO_TCP_INFO, make([]byte, 5), wsa.WSAEMSGSIZE},
		{Datagram, Connected, wsa.SIO_IDEAL_SEND_BACKLOG_QUERY, nil, wsa.WSAEOPNOTSUPP},
		{Stream, Bound, wsa.SIO_IDEAL_SEND_BACKLOG_QUERY, nil, wsa.WSAENOTCONN},
		{Stream, Connecting, wsa.SIO_IDEAL_SEND_BACKLOG_QUERY, nil, wsa.WSAENOTCONN},
		{Stream, Fresh, wsa.SIO_ROUTING_INTERFACE_QUERY, wsa.AppendSockaddr(nil, netip.MustParseAddrPort("192.0.2.1:0")), wsa.WSAENETUNREACH},
		{Stream, Fresh, wsa.SIO_ROUTING_INTERFACE_QUERY, wsa.AppendSockaddr(nil, netip.MustParseAddrPort("[fd00::1]:0")), wsa.WSAEAFNOSUPPORT},
		{Stream, Fresh, wsa.SIO_ROUTING_INTERFACE_QUERY, []byte{9, 0, 0, 0}, wsa.WSAEAFNOSUPPORT},
		{Stream, Fresh, wsa.SIO_ROUTING_INTERFACE_QUERY, []byte{2, 0, 0, 0}, wsa.WSAEFAULT},
		{Stream, Fresh, wsa.SIO_GET_EXTENSION_FUNCTION_POINTER, make([]byte, 16), wsa.WSAEOPNOTSUPP},
		{Stream, Fresh, wsa.SIO_SET_COMPATIBILITY_MODE, []byte{9, 0, 0, 0, 0, 0, 0, 0}, wsa.WSAEINVAL},
	} {
		ep := newFake(tc.kind)
		ep.state = tc.state
		v := ep.values()
		before := *v
		_, err, ok := Control(v, ep, tc.code, tc.in, make([]byte, 200))
		assert.True(t, ok)
		assert.Equal(t, tc.want, err)
		assert.Equal(t, before, *v)
	}
}
