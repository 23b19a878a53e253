//go:build linux

package integration

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/stack"
)

// A stack that nobody uses sends nothing: no router solicitation, no
// membership report, no duplicate address detection.
func TestFreshStackIsSilent(t *testing.T) {
	t.Parallel()
	var c *capture
	clock := faketime.NewManualClock()
	n := newNetwork(t, settings{
		observe: func(name string) { c = newCapture(t, name) },
		config:  func(cfg *stack.Config) { cfg.Clock = clock },
	})
	l, err := n.stack.Listen("tcp", ":80")
	require.NoError(t, err)
	defer l.Close()
	pc, err := n.stack.ListenPacket("udp", ":53")
	require.NoError(t, err)
	defer pc.Close()
	for range 60 {
		clock.Advance(time.Minute)
		n.stack.Settle()
	}
	// The capture does see the stack when it talks, and would have seen what it
	// sent before.
	p := newPinger(t, n.kernel.addr(true), n.wsock.addr(true))
	p.ping(t, 1, nil)
	soon(t, func() bool { return len(c.fromStack()) > 0 }, "the answer")
	for _, p := range c.fromStack()[:len(c.fromStack())-1] {
		t.Errorf("a packet from the stack: % x", p.data)
	}
}

// Every packet has the TTL or hop limit of Windows, in both roles, from the SYN
// to the FIN, and so has a datagram. A SYN offers what the link carries.
func TestTTL(t *testing.T) {
	for i := range 4 {
		var c *capture // one per role, so that no late packet of another is in it
		n := newNetwork(t, settings{observe: func(name string) { c = newCapture(t, name) }})
		r := roles(n.kernel, n.wsock, false)[i]
		t.Run(r.name, func(t *testing.T) {
			client, server := r.connect(t)
			bothWays(t, client, server, 100_000)
			d, err := n.stack.Dial("udp", net.JoinHostPort(n.kernel.addr(r.v6).String(), "9"))
			require.NoError(t, err)
			defer d.Close()
			_, err = d.Write([]byte("x"))
			require.NoError(t, err)
			finished := func() bool {
				var fin, datagram bool
				for _, p := range c.fromStack() {
					s, ok := p.tcp()
					fin = fin || ok && s.Flags().Contains(header.TCPFlagFin)
					datagram = datagram || !ok
				}
				return fin && datagram
			}
			soon(t, finished, "everything is captured")
			checkSegments(t, n, r, c.fromStack())
		})
	}
}

func checkSegments(t *testing.T, n *network, r role, packets []captured) {
	overhead, syns := 40, 0
	if r.v6 {
		overhead = 60
	}
	for _, p := range packets {
		require.Equal(t, r.v6, p.v6())
		require.Equal(t, n.wsock.addr(r.v6), p.source())
		require.EqualValues(t, 128, p.ttl())
		if s, ok := p.tcp(); ok && s.Flags().Contains(header.TCPFlagSyn) {
			syns++
			isAck := s.Flags().Contains(header.TCPFlagAck)
			require.EqualValues(t, n.mtu-overhead, header.ParseSynOptions(s.Options(), isAck).MSS)
		}
	}
	require.Positive(t, syns) // more when the other end is slow
	require.GreaterOrEqual(t, len(packets), 5, "SYN, data, its acknowledgement, FIN, a datagram")
}

// Datagrams have no DF bit (IP_DONTFRAGMENT is FALSE), and the fragments of
// different ones different IDs: receivers would mix them up.
func TestDatagramFragments(t *testing.T) {
	const count, fragments = 50, 3
	for _, v6 := range []bool{false, true} {
		var c *capture
		n := newNetwork(t, settings{observe: func(name string) { c = newCapture(t, name) }})
		pc, err := net.ListenPacket("udp", net.JoinHostPort(n.kernel.addr(v6).String(), "0"))
		require.NoError(t, err)
		defer pc.Close()
		d, err := n.stack.Dial("udp", pc.LocalAddr().String())
		require.NoError(t, err)
		defer d.Close()
		for range count {
			_, err = d.Write(pattern(4000))
			require.NoError(t, err)
		}
		soon(t, func() bool { return len(c.fromStack()) >= count*fragments }, "all have been sent")
		ids := map[uint32]int{}
		for _, p := range c.fromStack() {
			if v6 {
				require.EqualValues(t, header.IPv6FragmentHeader, header.IPv6(p.data).NextHeader())
				ids[header.IPv6Fragment(header.IPv6(p.data).Payload()).ID()]++
				continue
			}
			ip := header.IPv4(p.data)
			require.Zero(t, ip.Flags()&header.IPv4FlagDontFragment, "DF")
			ids[uint32(ip.ID())]++
		}
		require.GreaterOrEqual(t, len(ids), count-2, "different IDs; a random one may repeat")
		require.Len(t, c.fromStack(), count*fragments)
	}
}
