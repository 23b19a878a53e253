package endpoint_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/sockettest"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// icmpAbout is an ICMP error that quotes a packet which came to the wire.
func icmpAbout(from, to netip.Addr, kind, code byte, packet []byte) []byte {
	protocol := byte(1)
	if from.Is6() {
		protocol = 58
	}
	return simnet.EncodeIP(from, to, protocol, append([]byte{kind, code, 0, 0, 0, 0, 0, 0}, packet...))
}

// A server, or a client, on the net face doesn't see that a datagram of its own
// found nobody, or died on its way: as with package net on Windows, which
// switches SIO_UDP_CONNRESET and SIO_UDP_NETRESET off. Ioctl switches them on.
func TestPacketConnIgnoresResets(t *testing.T) {
	for _, f := range []struct {
		name, own, peer      string
		unreachable, expired [2]byte
	}{
		{name: "IPv4", own: "10.0.0.1", peer: "10.0.0.9", unreachable: [2]byte{3, 3}, expired: [2]byte{11, 0}},
		{name: "IPv6", own: "fd00::1", peer: "fd00::9", unreachable: [2]byte{1, 4}, expired: [2]byte{3, 0}},
	} {
		for _, dialled := range []bool{false, true} {
			name := map[bool]string{false: "listening", true: "dialled"}[dialled]
			t.Run(f.name+" "+name, func(t *testing.T) {
				n := simnet.New(t, simnet.Seed(1))
				h := n.Host("h", "10.0.0.1/24", "fd00::1/64")
				w := n.Wire(h, "w", "10.0.0.9", "fd00::9")
				own, peer := netip.MustParseAddr(f.own), netip.MustParseAddr(f.peer)
				there := netip.AddrPortFrom(peer, 5353)
				require.NoError(t, n.Do("test", func() {
					c, send := openPacketConn(t, h, own, there, dialled)
					for _, on := range []bool{false, true} {
						for _, e := range []struct {
							icmp [2]byte
							code uint32
							want wsa.Errno
						}{{f.unreachable, wsa.SIO_UDP_CONNRESET, wsa.WSAECONNRESET}, {f.expired, wsa.SIO_UDP_NETRESET, wsa.WSAENETRESET}} {
							if on {
								_, err := c.Ioctl(e.code, []byte{1, 0, 0, 0}, nil)
								require.NoError(t, err)
							}
							require.NoError(t, send())
							p, err := w.Receive(time.Second)
							require.NoError(t, err)
							w.Inject(icmpAbout(peer, own, e.icmp[0], e.icmp[1], p.Data))
							n.Sleep(time.Millisecond)
							w.Inject(simnet.EncodeUDP(there, netip.AddrPortFrom(own, uint16(c.LocalAddr().(*net.UDPAddr).Port)), []byte("next")))
							buf := make([]byte, 10)
							size, _, err := c.ReadFrom(buf)
							if on {
								sockettest.CheckOpError(t, err, "read", e.want)
								size, _, err = c.ReadFrom(buf)
							}
							require.NoError(t, err)
							require.Equal(t, "next", string(buf[:size]))
						}
					}
					require.NoError(t, c.Close())
				}))
			})
		}
	}
}

// openPacketConn returns a PacketConn of h and what sends a datagram to a peer.
func openPacketConn(t *testing.T, h *simnet.Host, own netip.Addr, peer netip.AddrPort, dialled bool) (*endpoint.PacketConn, func() error) {
	t.Helper()
	if !dialled {
		p, err := h.ListenPacket("udp", netip.AddrPortFrom(own, 0).String())
		require.NoError(t, err)
		c := p.(*endpoint.PacketConn)
		return c, func() error { _, err := c.WriteToUDPAddrPort([]byte("hello"), peer); return err }
	}
	p, err := h.Dial("udp", peer.String())
	require.NoError(t, err)
	c := p.(*endpoint.PacketConn)
	return c, func() error { _, err := c.Write([]byte("hello")); return err }
}

// The control codes of the net face are those of WSAIoctl.
func TestIoctl(t *testing.T) {
	a, b := sockettest.Pair(t)
	client, server := sockettest.Connected(t, a, b, sockettest.Families[0].Addr)
	info := make([]byte, wsa.SizeofTCPInfoV0)
	n, err := client.Ioctl(wsa.SIO_TCP_INFO, make([]byte, 4), info)
	require.NoError(t, err)
	require.Equal(t, wsa.SizeofTCPInfoV0, n)
	got, code := wsa.ParseTCPInfo(info, 0)
	require.Zero(t, code)
	require.EqualValues(t, 1460, got.Mss, "SACK blocks take room only where there are some")

	vals := wsa.TCPKeepalive{OnOff: 1, KeepAliveTime: 5000, KeepAliveInterval: 1000}
	_, err = client.Ioctl(wsa.SIO_KEEPALIVE_VALS, vals.Append(nil), nil)
	require.NoError(t, err)
	optval := make([]byte, 4)
	_, err = client.GetSockOpt(wsa.IPPROTO_TCP, wsa.TCP_KEEPIDLE, optval)
	require.NoError(t, err)
	require.Equal(t, []byte{5, 0, 0, 0}, optval)

	_, err = server.Write([]byte("four"))
	require.NoError(t, err)
	waiting := func() byte {
		out := make([]byte, 4)
		_, err := client.Ioctl(wsa.FIONREAD, nil, out)
		require.NoError(t, err)
		return out[0]
	}
	stack.Settle(a, b)
	require.EqualValues(t, 4, waiting())

	_, err = client.Ioctl(wsa.FIONBIO, []byte{1, 0, 0, 0}, nil)
	require.NoError(t, err)
	_, err = client.Ioctl(wsa.SIO_UDP_CONNRESET, make([]byte, 4), nil)
	sockettest.CheckOpError(t, err, "ioctl", wsa.WSAEOPNOTSUPP)

	// A listener's keep-alive is that of the connections it accepts (IN-2).
	l, err := b.Listen("tcp", ":0")
	require.NoError(t, err)
	_, err = l.(*endpoint.Listener).Ioctl(wsa.SIO_KEEPALIVE_VALS, vals.Append(nil), nil)
	require.NoError(t, err)
	require.NoError(t, l.Close())
	_, err = l.(*endpoint.Listener).Ioctl(wsa.SIO_KEEPALIVE_VALS, vals.Append(nil), nil)
	sockettest.CheckOpError(t, err, "ioctl", net.ErrClosed)
}
