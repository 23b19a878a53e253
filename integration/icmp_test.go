//go:build linux

package integration

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// The stack answers the kernel's ping, fragmented ones included.
func TestPing(t *testing.T) {
	n := newNetwork(t, settings{})
	for _, v6 := range []bool{false, true} {
		name := "IPv4"
		if v6 {
			name = "IPv6"
		}
		t.Run(name, func(t *testing.T) {
			p := newPinger(t, n.kernel.addr(v6), n.wsock.addr(v6))
			for seq, size := range []int{0, 56, 1400, 1472, 1473, 8000, 65000} {
				p.ping(t, seq, pattern(size))
			}
		})
	}
}

// A pinger sends echo requests of one IP version from a raw socket.
type pinger struct {
	conn           *icmp.PacketConn
	to             net.Addr
	protocol       int
	request, reply icmp.Type
}

func newPinger(t testing.TB, from, to netip.Addr) *pinger {
	t.Helper()
	p := &pinger{protocol: 1, request: ipv4.ICMPTypeEcho, reply: ipv4.ICMPTypeEchoReply}
	network := "ip4:icmp"
	if to.Is6() {
		p.protocol, p.request, p.reply, network = 58, ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply, "ip6:ipv6-icmp"
	}
	p.to = &net.IPAddr{IP: to.AsSlice()}
	conn, err := icmp.ListenPacket(network, from.String())
	require.NoError(t, err)
	p.conn = conn
	t.Cleanup(func() { conn.Close() })
	return p
}

func (p *pinger) ping(t testing.TB, seq int, payload []byte) {
	t.Helper()
	body := &icmp.Echo{ID: os.Getpid() & 0xffff, Seq: seq, Data: payload}
	request, err := (&icmp.Message{Type: p.request, Body: body}).Marshal(nil) // the kernel adds the ICMPv6 checksum
	require.NoError(t, err)
	_, err = p.conn.WriteTo(request, p.to)
	require.NoErrorf(t, err, "send %d bytes", len(payload))
	require.NoError(t, p.conn.SetReadDeadline(time.Now().Add(patience)))
	buf := make([]byte, 1<<16)
	for {
		size, from, err := p.conn.ReadFrom(buf)
		require.NoErrorf(t, err, "the answer to %d bytes", len(payload))
		answer, err := icmp.ParseMessage(p.protocol, buf[:size])
		require.NoError(t, err)
		if from.String() != p.to.String() || answer.Type != p.reply {
			continue // a raw socket sees everything
		}
		got := answer.Body.(*icmp.Echo)
		require.Equal(t, body.ID, got.ID)
		require.Equal(t, body.Seq, got.Seq)
		require.True(t, bytes.Equal(payload, got.Data), "the answer to %d bytes is not what was sent", len(payload))
		return
	}
}

// An ICMP "unreachable" does not end an attempt to connect (NB-3): the SYN is
// retransmitted until the context of the dial ends.
func TestDialUnreachableIsPatient(t *testing.T) {
	t.Parallel()
	var c *capture
	n := newNetwork(t, settings{observe: func(name string) { c = newCapture(t, name) }})
	forward(t, n.name)
	for _, to := range []string{"192.0.2.1:80", "[2001:db8::1]:80"} {
		before := len(c.all())
		heard := func() (syns, answers int) {
			for _, p := range c.all()[before:] {
				switch s, ok := p.tcp(); {
				case !p.fromStack:
					answers++
				case ok && s.Flags() == header.TCPFlagSyn:
					syns++
				}
			}
			return syns, answers
		}
		ctx, cancel := context.WithCancel(t.Context())
		dialled := make(chan error, 1)
		go func() { _, err := n.stack.DialContext(ctx, "tcp", to); dialled <- err }()
		soon(t, func() bool { syns, answers := heard(); return syns >= 2 && answers > 0 }, "answers, and the SYN again")
		cancel()
		require.ErrorIs(t, receiveError(t, dialled, "Dial"), context.Canceled)
	}
}
