package transport

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/netns"
	engine "github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/tun"
)

// A dumbbell is hosts that send, in front of one link with one queue, and a kernel
// behind it that receives:
//
//	access 0 ──▶┐
//	            ├──▶ link ──▶ host B
//	access 1 ──▶┘
type dumbbell struct {
	link   *tun.Impaired
	listen *net.TCPListener
	access []*access
}

// A crowd are streams of one kind.
type crowd struct {
	ours  bool          // the engine's; else Linux's, with CUBIC
	size  int           // how many
	delay time.Duration // beyond that of the link
}

// An access is the way of a crowd to the link, and how its host dials.
type access struct {
	crowd
	port tun.Device
	dial func() io.WriteCloser
}

// firstAccess is the last part of the address of the first access.
const firstAccess = 10

// nth is the address of a host of the dumbbell.
func nth(host int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(host)}) }

// unadorned configures an interface with an address and CUBIC.
func unadorned(name string, a netip.Addr) error {
	return tun.Configure(name, tun.Config{MTU: 1500, NoAddrGen: true, Congestion: "cubic", Addresses: []netip.Prefix{netip.PrefixFrom(a, 24)}})
}

// newDumbbell makes the link and the receiver, then a host for each crowd.
func newDumbbell(b *testing.B, cfg tun.ImpairConfig, crowds ...crowd) *dumbbell {
	if unable != nil {
		b.Skip(unable)
	}
	d := &dumbbell{}
	name := fmt.Sprintf("wst%d", tuns.Add(1))
	dev, err := tun.OpenWater(name)
	require.NoError(b, err)
	require.NoError(b, unadorned(name, nth(2)))
	d.link, err = tun.Impair(dev, cfg)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, d.link.Close()) })
	d.listen, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(nth(2), 0)))
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, d.listen.Close()) })
	for _, c := range crowds {
		d.add(b, c)
	}
	require.NoError(b, d.link.Start(d.back))
	for _, a := range d.access {
		require.NoError(b, a.port.Start(func(packets []tun.Packet) {
			_ = d.link.Send(packets)
			release(packets)
		}))
	}
	return d
}

func release(packets []tun.Packet) {
	for i := range packets {
		packets[i].Data.Release()
	}
}

// back gives packets that come from the receiver to those that they are for.
func (d *dumbbell) back(packets []tun.Packet) {
	var to [4]byte
	for i := range packets {
		_, _ = packets[i].Data.ReadAt(to[:], 16)
		if n := int(to[3]) - firstAccess; n >= 0 && n < len(d.access) {
			_ = d.access[n].port.Send(packets[i : i+1])
		}
	}
	release(packets)
}

// add makes the host of a crowd.
func (d *dumbbell) add(b *testing.B, c crowd) {
	a := &access{crowd: c}
	addr := nth(firstAccess + len(d.access))
	to := d.listen.Addr().(*net.TCPAddr).AddrPort()
	var port tun.Device
	if c.ours {
		port = a.engine(b, addr, to)
	} else {
		port = a.kernel(b, addr, to)
	}
	var err error
	a.port, err = tun.Impair(port, tun.ImpairConfig{In: tun.Impairment{Delay: c.delay}})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, a.port.Close()) })
	d.access = append(d.access, a)
}

// engine is a host of ours.
func (a *access) engine(b *testing.B, addr netip.Addr, to netip.AddrPort) tun.Device {
	near, port := tun.Pipe(1500)
	from := map[tcpip.NetworkProtocolNumber]tcpip.Address{four: tcpip.AddrFrom4(addr.As4())}
	s := hostOn(b, near, from)
	local := uint16(1024)
	a.dial = func() io.WriteCloser {
		local++
		c := dial(b, s, four, from, hostB, local, to.Port())
		require.True(b, c.connected())
		c.Do(func(_ time.Duration, e *engine.Conn) { e.SetNoDelay(true) }) // as package net has it
		return aborter{c}
	}
	return port
}

// An aborter is a stream that is reset when it is closed.
type aborter struct{ *stream }

func (a aborter) Close() error {
	a.Abort()
	return nil
}

// kernel is another kernel, in a namespace of its own. It mustn't remember what
// connections before have found.
func (a *access) kernel(b *testing.B, addr netip.Addr, to netip.AddrPort) tun.Device {
	thread, err := netns.NewThread()
	require.NoError(b, err)
	b.Cleanup(thread.Close)
	name := fmt.Sprintf("wst%d", tuns.Add(1))
	var port tun.Device
	thread.Do(func() {
		if port, err = tun.OpenWater(name); err == nil {
			err = unadorned(name, addr)
		}
		if err == nil {
			err = os.WriteFile("/proc/sys/net/ipv4/tcp_no_metrics_save", []byte("1"), 0)
		}
	})
	require.NoError(b, err)
	a.dial = func() io.WriteCloser {
		var c *net.TCPConn
		var err error
		thread.Do(func() { c, err = net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(to)) })
		require.NoError(b, err)
		require.NoError(b, c.SetLinger(0))
		return c
	}
	return port
}

// connect makes a stream of an access.
func (d *dumbbell) connect(b *testing.B, a *access) (from io.WriteCloser, to net.Conn) {
	from = a.dial()
	to, err := d.listen.Accept()
	require.NoError(b, err)
	return from, to
}
