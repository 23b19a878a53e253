package endpoint_test

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/sockettest"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// msgFamily is what the control messages of an IP version are called.
type msgFamily struct {
	network, server, client      string
	level                        int32
	options                      [3]int32 // destination, time to live, type of service
	infoType, ttlType, classType int32
	info                         func(a netip.Addr) []byte
	parse                        func(data []byte) netip.Addr
}

var msgFamilies = []msgFamily{
	{
		"udp4", "10.0.0.2", "10.0.0.1", wsa.IPPROTO_IP, [3]int32{wsa.IP_PKTINFO, wsa.IP_RECVTTL, wsa.IP_RECVTOS},
		wsa.IP_PKTINFO, wsa.IP_TTL, wsa.IP_TOS,
		func(a netip.Addr) []byte { return wsa.InPktinfo{Addr: a.As4()}.Append(nil) },
		func(data []byte) netip.Addr { p, _ := wsa.ParseInPktinfo(data); return netip.AddrFrom4(p.Addr) },
	},
	{
		"udp6", "fd00::2", "fd00::1", wsa.IPPROTO_IPV6, [3]int32{wsa.IPV6_PKTINFO, wsa.IPV6_HOPLIMIT, wsa.IPV6_RECVTCLASS},
		wsa.IPV6_PKTINFO, wsa.IPV6_HOPLIMIT, wsa.IPV6_TCLASS,
		func(a netip.Addr) []byte { return wsa.In6Pktinfo{Addr: a.As16()}.Append(nil) },
		func(data []byte) netip.Addr { p, _ := wsa.ParseIn6Pktinfo(data); return netip.AddrFrom16(p.Addr) },
	},
}

// report asks for all three messages of a version.
func (f *msgFamily) report(t *testing.T, c *endpoint.PacketConn) {
	t.Helper()
	for _, name := range f.options {
		require.NoError(t, c.SetSockOpt(f.level, name, []byte{1, 0, 0, 0}))
	}
}

// control makes control messages to send.
func (f *msgFamily) control(source netip.Addr, ttl, class byte) []byte {
	b := wsa.AppendCmsg(nil, f.level, f.infoType, f.info(source))
	b = wsa.AppendCmsg(b, f.level, f.ttlType, []byte{ttl, 0, 0, 0})
	return wsa.AppendCmsg(b, f.level, f.classType, []byte{class, 0, 0, 0})
}

// said is what received control messages say.
func (f *msgFamily) said(t *testing.T, oob []byte) (to netip.Addr, ttl, class uint32) {
	t.Helper()
	all, errno := wsa.ParseCmsgs(oob)
	require.Zero(t, errno)
	require.Len(t, all, 3)
	for _, m := range all {
		require.Equal(t, f.level, m.Level)
		switch m.Type {
		case f.infoType:
			to = f.parse(m.Data)
		case f.ttlType:
			ttl = binary.LittleEndian.Uint32(m.Data)
		case f.classType:
			class = binary.LittleEndian.Uint32(m.Data)
		}
	}
	return to, ttl, class
}

// A server on every address learns which one a datagram came to, how far it has
// come and with what type of service, and answers from there; so it does over IPv4
// on a socket of both sockettest.Families.
func TestPacketConnMessages(t *testing.T) {
	for _, f := range msgFamilies {
		for _, network := range []string{f.network, "udp"} {
			t.Run(f.network+" on "+network, func(t *testing.T) {
				n := simnet.New(t, simnet.Seed(1))
				a := n.Host("a", "10.0.0.1/24", "fd00::1/64")
				b := n.Host("b", "10.0.0.9/24", "fd00::9/64", "10.0.0.2/24", "fd00::2/64") // the first is what it would choose
				n.Link(a, b)
				require.NoError(t, n.Do("test", func() {
					p, err := b.ListenPacket(network, ":53")
					require.NoError(t, err)
					server := p.(*endpoint.PacketConn)
					f.report(t, server)
					p, err = a.ListenPacket(f.network, ":0")
					require.NoError(t, err)
					client := p.(*endpoint.PacketConn)
					f.report(t, client)
					there, here := netip.MustParseAddr(f.server), netip.MustParseAddr(f.client)

					sent, oobn, err := client.WriteMsgUDP([]byte("ask"), f.control(here, 7, 0x20), net.UDPAddrFromAddrPort(netip.AddrPortFrom(there, 53)))
					require.NoError(t, err)
					assert.Equal(t, [2]int{3, len(f.control(here, 7, 0x20))}, [2]int{sent, oobn})
					buf, oob := make([]byte, 100), make([]byte, 200)
					got, oobn, flags, from, err := server.ReadMsgUDPAddrPort(buf, oob)
					require.NoError(t, err)
					assert.Equal(t, "ask", string(buf[:got]))
					assert.Zero(t, flags)
					assert.Equal(t, here, from.Addr())
					to, ttl, class := f.said(t, oob[:oobn])
					assert.Equal(t, there, to)
					assert.EqualValues(t, [2]uint32{7, 0x20}, [2]uint32{ttl, class})

					_, _, err = server.WriteMsgUDPAddrPort([]byte("answer"), f.control(to, 9, 0x40), from)
					require.NoError(t, err)
					got, oobn, _, addr, err := client.ReadMsgUDP(buf, oob)
					require.NoError(t, err)
					assert.Equal(t, "answer", string(buf[:got]))
					assert.Equal(t, netip.AddrPortFrom(there, 53), addr.AddrPort(), "the address that was asked")
					to, ttl, class = f.said(t, oob[:oobn])
					assert.Equal(t, here, to)
					assert.EqualValues(t, [2]uint32{9, 0x40}, [2]uint32{ttl, class})

					// One datagram only.
					_, err = server.WriteToUDPAddrPort([]byte("more"), from)
					require.NoError(t, err)
					_, oobn, _, _, err = client.ReadMsgUDPAddrPort(buf, oob)
					require.NoError(t, err)
					_, ttl, class = f.said(t, oob[:oobn])
					assert.EqualValues(t, [2]uint32{128, 0}, [2]uint32{ttl, class})
				}))
			})
		}
	}
}

// What the messages of a PacketConn fail with.
func TestPacketConnMessageErrors(t *testing.T) {
	n := simnet.New(t, simnet.Seed(1))
	a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
	n.Link(a, b)
	require.NoError(t, n.Do("test", func() {
		there := netip.MustParseAddrPort("10.0.0.2:53")
		p, err := b.ListenPacket("udp", there.String())
		require.NoError(t, err)
		server := p.(*endpoint.PacketConn)
		dialled, err := a.DialUDP(context.Background(), "udp", netip.AddrPort{}, there)
		require.NoError(t, err)
		listening, err := a.ListenPacket("udp", ":0")
		require.NoError(t, err)
		c := listening.(*endpoint.PacketConn)

		_, _, err = dialled.WriteMsgUDPAddrPort([]byte("x"), nil, there)
		sockettest.CheckOpError(t, err, "write", net.ErrWriteToConnected)
		_, _, err = c.WriteMsgUDP([]byte("x"), nil, nil)
		sockettest.CheckOpError(t, err, "write", wsa.WSAEDESTADDRREQ)
		_, oobn, err := c.WriteMsgUDPAddrPort([]byte("x"), []byte{1, 2, 3}, there)
		sockettest.CheckOpError(t, err, "write", wsa.WSAEINVAL)
		assert.Zero(t, oobn)
		assert.Equal(t, there.String(), err.(*net.OpError).Addr.String())

		_, _, err = dialled.WriteMsgUDP([]byte("too long"), nil, nil)
		require.NoError(t, err)
		buf := make([]byte, 3)
		got, _, flags, from, err := server.ReadMsgUDPAddrPort(buf, nil)
		sockettest.CheckOpError(t, err, "read", wsa.WSAEMSGSIZE)
		assert.Equal(t, "too", string(buf[:got]))
		assert.EqualValues(t, wsa.MSG_TRUNC, flags)
		assert.Equal(t, dialled.LocalAddr().String(), from.String())

		start := n.Now()
		require.NoError(t, server.SetReadDeadline(n.Clock().Now().Add(time.Second)))
		_, _, _, addr, err := server.ReadMsgUDP(buf, nil)
		sockettest.CheckOpError(t, err, "read", os.ErrDeadlineExceeded)
		assert.Nil(t, addr)
		assert.Equal(t, time.Second, n.Now()-start)
		require.NoError(t, c.SetWriteDeadline(n.Clock().Now()))
		_, _, err = c.WriteMsgUDPAddrPort([]byte("x"), nil, there)
		sockettest.CheckOpError(t, err, "write", os.ErrDeadlineExceeded)
	}))
}
