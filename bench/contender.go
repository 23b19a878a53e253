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

// A Contender is a way to join two sides.
type Contender struct {
	Name   string
	Group  string // the table that it stands in, such as GroupMemory
	Peer   string `json:",omitempty"` // what --peers calls it; empty: wsstack or the kernel
	Module string `json:",omitempty"` // the Go module that it is of; empty: this one, or none

	// Allocates says that a listener takes the memory of its connections at once, so that nothing
	// can be said of one.
	Allocates bool `json:"-"`

	Link    func() (*Network, error) `json:"-"`
	Version string                   `json:",omitempty"` // of Module; Serve fills it in
}

// The groups of contenders.
const (
	GroupTUN    = "Over a TUN, to the kernel"
	GroupReno   = "Over a TUN, to a kernel with Reno"
	GroupMemory = "In memory"
	GroupKernel = "The kernel alone"
)

// groups are in the order of the report.
var groups = []string{GroupTUN, GroupReno, GroupMemory, GroupKernel}

// The contenders that bounds name.
const (
	wsstackOffload = "wsstack, offload"
	wsstackWater   = "wsstack, water"
	wsstackPipe    = "wsstack, pipe"
	gonetOffload   = "gonet, offload"
	gonetWater     = "gonet, water"
	gonetPipe      = "gonet, pipe"
	loopback       = "kernel, loopback"
	noDelay        = ", no delay" // after a wsstack's: Nagle's algorithm is off
	reno           = ", reno"     // the kernel's sockets use Reno, which doesn't pace
)

// Contenders returns all that this module has. They use TUN devices: the process is in a namespace
// of its own, as the one netns.RunAgain makes.
func Contenders() []Contender {
	on := func(link Link, make Maker) func() (*Network, error) {
		return func() (*Network, error) { return link(make) }
	}
	gonet := func(name, group string, link func() (*Network, error)) Contender {
		return Contender{Name: name, Group: group, Peer: "gonet", Module: "gvisor.dev/gvisor", Link: link}
	}
	return []Contender{
		{Name: wsstackOffload, Group: GroupTUN, Link: on(OffloadLink, Wsstack)},
		{Name: wsstackOffload + noDelay, Group: GroupTUN, Link: on(OffloadLink, WsstackNoDelay)},
		gonet(gonetOffload, GroupTUN, on(OffloadLink, Gonet)),
		{Name: wsstackWater, Group: GroupTUN, Link: on(WaterLink, Wsstack)},
		{Name: wsstackWater + noDelay, Group: GroupTUN, Link: on(WaterLink, WsstackNoDelay)},
		gonet(gonetWater, GroupTUN, on(WaterLink, Gonet)),
		{Name: wsstackPipe, Group: GroupMemory, Link: on(PipeLink, Wsstack)},
		{Name: wsstackPipe + noDelay, Group: GroupMemory, Link: on(PipeLink, WsstackNoDelay)},
		gonet(gonetPipe, GroupMemory, on(PipeLink, Gonet)),
		gonet("gonet, channel", GroupMemory, ChannelLink),
		{Name: "wireguard-go netstack", Group: GroupMemory, Peer: "netstack", Module: "golang.zx2c4.com/wireguard", Link: NetstackLink},
		{Name: loopback, Group: GroupKernel, Link: LoopbackLink},
		{Name: "kernel, veth", Group: GroupKernel, Link: VethLink},
		{Name: wsstackOffload + reno, Group: GroupReno, Link: on(renoLink(tun.OpenOffload), Wsstack)},
		gonet(gonetOffload+reno, GroupReno, on(renoLink(tun.OpenOffload), Gonet)),
		gonet(gonetWater+reno, GroupReno, on(renoLink(tun.OpenWater), Gonet)),
		{Name: loopback + reno, Group: GroupKernel, Link: func() (*Network, error) { return loopbackLink(withReno) }},
		{Name: "net.Pipe", Group: GroupMemory, Peer: "net.Pipe", Link: func() (*Network, error) {
			return MemoryLink(func() Meeting { return newPipes() }), nil
		}},
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

func (s vethSide) ListenPacket(port uint16) (p net.PacketConn, err error) {
	s.thread.Do(func() { p, err = kernelSide{}.ListenPacket(port) })
	return p, err
}

func (s vethSide) DialPacket(to netip.AddrPort) (c net.Conn, err error) {
	s.thread.Do(func() { c, err = kernelSide{}.DialPacket(to) })
	return c, err
}

func (s vethSide) Close() {
	_ = netlink.LinkDel(s.link) // both ends
	s.thread.Close()
}
