//go:build linux

package bench

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/internal/netns"
	"github.com/wsstack/wsstack/tun"
)

// A Contender is a row of the comparison: a way to join two sides.
type Contender struct {
	Name string
	Link func() (*Network, error)
}

// The contenders that bounds name.
const (
	wsstackOffload = "wsstack, offload"
	wsstackWater   = "wsstack, water"
	wsstackPipe    = "wsstack, pipe"
	gonetOffload   = "gonet, offload"
	gonetWater     = "gonet, water"
	gonetPipe      = "gonet, pipe"
	gonetChannel   = "gonet, channel"
	loopback       = "kernel, loopback"
	veth           = "kernel, veth"
	noDelay        = ", no delay" // after a wsstack's: Nagle's algorithm is off
	reno           = ", reno"     // the kernel's sockets use Reno, which doesn't pace
)

// Contenders returns all rows. They use TUN devices: the process is in a
// namespace of its own, as the one netns.RunAgain makes.
func Contenders() []Contender {
	on := func(link Link, make Maker) func() (*Network, error) {
		return func() (*Network, error) { return link(make) }
	}
	return []Contender{
		{wsstackOffload, on(OffloadLink, Wsstack)},
		{wsstackOffload + noDelay, on(OffloadLink, WsstackNoDelay)},
		{gonetOffload, on(OffloadLink, Gonet)},
		{wsstackWater, on(WaterLink, Wsstack)},
		{wsstackWater + noDelay, on(WaterLink, WsstackNoDelay)},
		{gonetWater, on(WaterLink, Gonet)},
		{wsstackPipe, on(PipeLink, Wsstack)},
		{wsstackPipe + noDelay, on(PipeLink, WsstackNoDelay)},
		{gonetPipe, on(PipeLink, Gonet)},
		{gonetChannel, ChannelLink},
		{loopback, LoopbackLink},
		{veth, VethLink},
		{wsstackOffload + reno, on(renoLink(tun.OpenOffload), Wsstack)},
		{gonetOffload + reno, on(renoLink(tun.OpenOffload), Gonet)},
		{gonetWater + reno, on(renoLink(tun.OpenWater), Gonet)},
		{loopback + reno, func() (*Network, error) { return loopbackLink(withReno) }},
	}
}

// unpaced is the one algorithm that every namespace may use and that doesn't
// pace: with BBR, which some kernels have by default, a stream from the kernel
// waits for its timer.
const unpaced = "reno"

func renoLink(open func(string) (tun.Device, error)) Link {
	return func(make Maker) (*Network, error) { return tunLink(open, make, unpaced) }
}

// withReno is the kernel over its loopback, whose routes nobody changes.
var withReno = kernelSide{control: func(_, _ string, c syscall.RawConn) (err error) {
	controlErr := c.Control(func(fd uintptr) {
		err = os.NewSyscallError("TCP_CONGESTION", unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, unpaced))
	})
	return errors.Join(controlErr, err)
}}

// LoopbackLink is the kernel's loopback, whose MTU is 65536.
func LoopbackLink() (*Network, error) { return loopbackLink(kernelSide{}) }

func loopbackLink(kernel kernelSide) (*Network, error) {
	local := netip.MustParseAddr("127.0.0.1")
	return &Network{Near: kernel, Far: kernel, NearAddr: local, FarAddr: local}, nil
}

// vethSide is the kernel in another namespace.
type vethSide struct {
	thread *netns.Thread
	link   netlink.Link // of the first namespace
}

// VethLink joins two namespaces of the kernel, MTU 1500.
func VethLink() (*Network, error) {
	links++
	names := [2]string{fmt.Sprintf("near%d", links), fmt.Sprintf("far%d", links)}
	near := netip.MustParsePrefix(fmt.Sprintf("10.%d.%d.1/24", 80+links/250, links%250))
	far := netip.PrefixFrom(near.Addr().Next(), near.Bits())
	thread, err := netns.NewThread()
	if err != nil {
		return nil, err
	}
	side := vethSide{thread, &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: names[0]}}}
	err = thread.Join(names[0], names[1], 1500)
	if err == nil {
		err = side.configure(names, near, far)
	}
	if err != nil {
		side.Close()
		return nil, fmt.Errorf("bench: veth: %w", err)
	}
	return &Network{Near: kernelSide{}, Far: side, NearAddr: near.Addr(), FarAddr: far.Addr()}, nil
}

func (s vethSide) configure(names [2]string, near, far netip.Prefix) error {
	err := tun.Configure(names[0], tun.Config{Addresses: []netip.Prefix{near}, NoAddrGen: true})
	if err == nil {
		s.thread.Do(func() {
			err = tun.Configure(names[1], tun.Config{Addresses: []netip.Prefix{far}, NoAddrGen: true})
		})
	}
	return err
}

func (s vethSide) Listen(port uint16) (l net.Listener, err error) {
	s.thread.Do(func() { l, err = kernelSide{}.Listen(port) })
	return l, err
}

func (s vethSide) Dial(to netip.AddrPort) (c net.Conn, err error) {
	s.thread.Do(func() {
		c, err = kernelSide{}.Dial(to)
	})
	return c, err
}

func (s vethSide) Close() {
	_ = netlink.LinkDel(s.link) // both ends
	s.thread.Close()
}
