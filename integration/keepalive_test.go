//go:build linux

package integration

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// The Linux kernel answers probes, of both forms; and when the TUN goes silent
// the connection is dropped when it is computed to be, by the stack's clock,
// which stands still but for the test.
func TestKeepAliveDrop(t *testing.T) {
	const idle, interval, count = 500 * time.Millisecond, 200 * time.Millisecond, 3
	for i, name := range []string{"IPv4", "IPv6", "IPv4, one octet", "IPv6, one octet"} {
		t.Run(name, func(t *testing.T) {
			v6, octet := i%2 == 1, i >= 2
			d := newDropTest(t, v6, octet)
			d.keepAlive(t, idle, interval, count)
			const answered = 3
			for i := range answered {
				in := d.n.stack.Stats().SegmentsIn
				d.probesAfter(t, idle, i)
				soon(t, func() bool { return d.n.stack.Stats().SegmentsIn > in }, "the answer")
				d.n.stack.Settle() // it is counted before the connection has it
			}
			value, n := make([]byte, 4), int32(4)
			require.NoError(t, d.p.GetSockOpt(d.s, wsa.SOL_SOCKET, wsa.SO_ERROR, value, &n))
			require.Equal(t, make([]byte, 4), value, "SO_ERROR")

			recv := func() error { _, err := d.p.Recv(d.s, make([]byte, 1), 0); return err }
			calls := []<-chan error{d.n.blocked(t, recv), d.n.blocked(t, recv)}
			d.silence(t)
			d.probesAfter(t, idle, answered)
			for i := 1; i < count; i++ {
				d.probesAfter(t, interval, answered+i)
			}
			d.nothingFor(t, interval-moment)
			d.clock.Advance(moment)
			for _, call := range calls {
				require.Equal(t, wsa.WSAENETRESET, receiveError(t, call, "Recv"))
			}
			soon(t, func() bool { _, resets := d.segments(); return len(resets) > 0 }, "the RST is captured")
			probes, resets := d.segments()
			require.Len(t, probes, answered+count)
			require.Equal(t, []uint32{d.nxt}, resets, "SEQ of the RST")
			d.later(t)
		})
	}
}

// A dropTest is a connection from the Winsock face to the kernel.
type dropTest struct {
	n     *network
	c     *capture
	clock *faketime.ManualClock
	p     *provider.Provider
	s     wsa.SOCKET
	v6    bool

	octets int    // in each probe
	nxt    uint32 // SND.NXT of the stack
}

func newDropTest(t *testing.T, v6, octet bool) *dropTest {
	t.Helper()
	d := &dropTest{v6: v6, clock: faketime.NewManualClock()}
	if octet {
		d.octets = 1
	}
	d.n = newNetwork(t, settings{spy: true, observe: func(name string) {
		d.c = newCapture(t, name)
	}, config: func(c *stack.Config) { c.KeepAlive.GarbageOctet, c.Clock = octet, d.clock }})
	// Linux answers what is out of the window, as a probe is, twice a second at
	// most, by its own clock.
	if err := os.WriteFile("/proc/sys/net/ipv4/tcp_invalid_ratelimit", []byte("0"), 0); err != nil {
		t.Skipf("the kernel would not answer every probe: %v", err)
	}
	silent := net.ListenConfig{KeepAlive: -1} // no probes of its own
	l, err := silent.Listen(t.Context(), "tcp", netip.AddrPortFrom(d.n.kernel.addr(v6), 0).String())
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

// probesAfter wants a probe after a time, not before, when there were so many
// already. The clock then stands at the time when it was due, so that whenever the
// answer comes, it has come at that time.
func (d *dropTest) probesAfter(t *testing.T, wait time.Duration, before int) {
	t.Helper()
	d.nothingFor(t, wait-moment)
	d.clock.Advance(moment)
	soon(t, func() bool { probes, _ := d.segments(); return len(probes) == before+1 }, "the probe is captured")
}

// moment is the resolution of the test.
const moment = time.Millisecond

// nothingFor lets a time pass in which the stack sends nothing.
func (d *dropTest) nothingFor(t *testing.T, wait time.Duration) {
	t.Helper()
	out := d.n.stack.Stats().SegmentsOut
	d.clock.Advance(wait)
	d.n.stack.Settle()
	require.Equal(t, out, d.n.stack.Stats().SegmentsOut, "before its time")
}

// silence makes the kernel send nothing to the stack any more: its route there
// is a black hole.
func (d *dropTest) silence(t *testing.T) {
	t.Helper()
	to := d.n.wsock.addr(d.v6)
	hole := &netlink.Route{
		Dst:  &net.IPNet{IP: to.AsSlice(), Mask: net.CIDRMask(to.BitLen(), to.BitLen())},
		Type: unix.RTN_BLACKHOLE,
	}
	require.NoError(t, netlink.RouteAdd(hole))
	t.Cleanup(func() { netlink.RouteDel(hole) })
}

// segments are the sequence numbers of the probes and the RSTs that the stack
// has sent.
func (d *dropTest) segments() (probes, resets []uint32) {
	for _, p := range d.c.fromStack() {
		s, ok := p.tcp()
		if !ok {
			continue
		}
		switch {
		case s.Flags().Contains(header.TCPFlagRst):
			resets = append(resets, s.SequenceNumber())
		case s.Flags() == header.TCPFlagAck && s.SequenceNumber() == d.nxt-1 && len(s.Payload()) == d.octets:
			probes = append(probes, s.SequenceNumber())
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
