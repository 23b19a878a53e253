//go:build linux

package integration

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// The Linux kernel answers probes, of both forms; and when the TUN goes silent
// the connection is dropped when it is computed to be, in real time.
func TestKeepAliveDrop(t *testing.T) {
	const idle, interval, count = 500 * time.Millisecond, 200 * time.Millisecond, 3
	for i, name := range []string{"IPv4", "IPv6", "IPv4, one octet", "IPv6, one octet"} {
		t.Run(name, func(t *testing.T) {
			v6, octet := i%2 == 1, i >= 2
			d := newDropTest(t, v6, octet)
			d.keepAlive(t, idle, interval, count)
			d.answered(t, 3)

			recv := make(chan error, 2)
			for range cap(recv) {
				go func() { // ends with the drop
					_, err := d.p.Recv(d.s, make([]byte, 1), 0)
					recv <- err
				}()
			}
			start := d.silence(t)
			for range cap(recv) {
				require.Equal(t, wsa.WSAENETRESET, receiveError(t, recv, "Recv"))
			}
			elapsed := time.Since(start)
			soon(t, func() bool { _, resets := d.segments(start); return len(resets) > 0 }, "the RST is captured")
			probes, resets := d.segments(start)
			require.Len(t, probes, count)
			require.Len(t, resets, 1)
			require.Equal(t, d.nxt, resets[0].seq, "SEQ of the RST")
			// The last answer came up to one idle time before the silence.
			first := probes[0].at
			require.LessOrEqual(t, first.Sub(start), idle+tolerance(idle))
			for i, p := range probes {
				require.Equal(t, d.nxt-1, p.seq)
				require.InDelta(t, float64(i)*interval.Seconds(), p.at.Sub(first).Seconds(), tolerance(interval).Seconds(), "probe %d", i)
			}
			total := count * interval
			require.InDelta(t, total.Seconds(), resets[0].at.Sub(first).Seconds(), tolerance(total).Seconds(), "the RST")
			t.Logf("probes at %v after the silence, dropped at %v", first.Sub(start), elapsed)
			d.later(t)
		})
	}
}

// tolerance is that of real time: 10 %, at least 50 ms.
func tolerance(d time.Duration) time.Duration { return max(d/10, 50*time.Millisecond) }

// A dropTest is a connection from the Winsock face to the kernel.
type dropTest struct {
	n  *network
	c  *capture
	p  *provider.Provider
	s  wsa.SOCKET
	v6 bool

	octets int    // in each probe
	nxt    uint32 // SND.NXT of the stack
}

func newDropTest(t *testing.T, v6, octet bool) *dropTest {
	t.Helper()
	d := &dropTest{v6: v6}
	if octet {
		d.octets = 1
	}
	d.n = newNetwork(t, settings{observe: func(name string) {
		d.c = newCapture(t, name)
	}, config: func(c *stack.Config) { c.KeepAlive.GarbageOctet = octet }})
	l, err := net.Listen("tcp", netip.AddrPortFrom(d.n.kernel.addr(v6), 0).String())
	require.NoError(t, err)
	defer l.Close()
	d.p, err = provider.Startup(d.n.stack, wsa.WINSOCK_VERSION)
	require.NoError(t, err)
	family := int32(wsa.AF_INET)
	if v6 {
		family = wsa.AF_INET6
	}
	d.s, err = d.p.Socket(family, wsa.SOCK_STREAM, 0)
	require.NoError(t, err)
	require.NoError(t, d.p.Connect(d.s, netip.MustParseAddrPort(l.Addr().String())))
	peer, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { peer.Close() })
	soon(t, func() bool { // the SYN of ours
		for _, p := range d.c.fromStack() {
			if s, ok := p.tcp(); ok && s.Flags() == header.TCPFlagSyn {
				d.nxt = s.SequenceNumber() + 1
				return true
			}
		}
		return false
	}, "the SYN is captured")
	return d
}

func (d *dropTest) keepAlive(t *testing.T, idle, interval time.Duration, count byte) {
	t.Helper()
	require.NoError(t, d.p.SetSockOpt(d.s, wsa.IPPROTO_TCP, wsa.TCP_KEEPCNT, []byte{count, 0, 0, 0}, 4))
	in := wsa.TCPKeepalive{OnOff: 1, KeepAliveTime: uint32(idle.Milliseconds()), KeepAliveInterval: uint32(interval.Milliseconds())}
	_, err := d.p.Ioctl(d.s, wsa.SIO_KEEPALIVE_VALS, in.Append(nil), nil)
	require.NoError(t, err)
}

// answered waits until the kernel has answered so many probes.
func (d *dropTest) answered(t *testing.T, count int) {
	t.Helper()
	soon(t, func() bool {
		probes, _ := d.segments(time.Time{})
		return len(probes) > count
	}, "probes that are answered")
	value, n := make([]byte, 4), int32(4)
	require.NoError(t, d.p.GetSockOpt(d.s, wsa.SOL_SOCKET, wsa.SO_ERROR, value, &n))
	require.Equal(t, make([]byte, 4), value, "SO_ERROR")
}

// silence makes the kernel send nothing to the stack any more: its route there
// is a black hole.
func (d *dropTest) silence(t *testing.T) time.Time {
	t.Helper()
	to := d.n.wsock.addr(d.v6)
	hole := &netlink.Route{
		Dst:  &net.IPNet{IP: to.AsSlice(), Mask: net.CIDRMask(to.BitLen(), to.BitLen())},
		Type: unix.RTN_BLACKHOLE,
	}
	require.NoError(t, netlink.RouteAdd(hole))
	t.Cleanup(func() { netlink.RouteDel(hole) })
	return time.Now()
}

// A sent is a segment of the stack.
type sent struct {
	at  time.Time
	seq uint32
}

// segments are the probes and the RSTs that the stack has sent since a time.
func (d *dropTest) segments(since time.Time) (probes, resets []sent) {
	for _, p := range d.c.fromStack() {
		s, ok := p.tcp()
		if !ok || p.at.Before(since) {
			continue
		}
		switch {
		case s.Flags().Contains(header.TCPFlagRst):
			resets = append(resets, sent{p.at, s.SequenceNumber()})
		case s.Flags() == header.TCPFlagAck && s.SequenceNumber() == d.nxt-1 && len(s.Payload()) == d.octets:
			probes = append(probes, sent{p.at, s.SequenceNumber()})
		}
	}
	return probes, resets
}

// later makes the calls of KA-31.
func (d *dropTest) later(t *testing.T) {
	t.Helper()
	_, err := d.p.Recv(d.s, make([]byte, 1), 0)
	require.Equal(t, wsa.WSAENOTCONN, err)
	_, err = d.p.Send(d.s, []byte("x"), 0)
	require.Equal(t, wsa.WSAENOTCONN, err)
	require.Equal(t, wsa.WSAENOTCONN, d.p.Shutdown(d.s, wsa.SD_SEND))
	require.Equal(t, wsa.WSAENOTCONN, d.p.SetSockOpt(d.s, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, []byte{1, 0, 0, 0}, 4))
	value, n := make([]byte, 4), int32(4)
	require.NoError(t, d.p.GetSockOpt(d.s, wsa.SOL_SOCKET, wsa.SO_ERROR, value, &n))
	require.EqualValues(t, wsa.WSAENETRESET, binary.LittleEndian.Uint32(value), "SO_ERROR")
	require.NoError(t, d.p.CloseSocket(d.s))
}
