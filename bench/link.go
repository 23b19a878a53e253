package bench

import (
	"fmt"
	"net/netip"

	"github.com/wsstack/wsstack/tun"
)

// A Network is a link with a side at each end. Near is the side under test,
// Far the same kind over a pipe, and the kernel over a TUN.
type Network struct {
	Near, Far         Side
	NearAddr, FarAddr netip.Addr
	NextPort          uint16
}

// Close closes both sides.
func (n *Network) Close() {
	n.Near.Close()
	n.Far.Close()
}

// port returns one that this network hasn't used, and that needs no privilege.
func (n *Network) port() uint16 {
	n.NextPort++
	return 10_000 + n.NextPort
}

// A Link makes a network with the side under test made by make.
type Link func(make Maker) (*Network, error)

// PipeLink joins two sides of one kind in memory, MTU 1500.
func PipeLink(make Maker) (*Network, error) {
	near, far := netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("10.0.0.2/24")
	a, b := tun.Pipe(1500)
	n := &Network{NearAddr: near.Addr(), FarAddr: far.Addr()}
	var err error
	if n.Near, err = make(a, near); err != nil {
		return nil, err
	}
	if n.Far, err = make(b, far); err != nil {
		n.Near.Close()
		return nil, err
	}
	return n, nil
}

// links counts the TUN links, which all have their own addresses.
var links int

// WaterLink joins a side to the kernel through a TUN of the water package, MTU
// 1500. The process is in a namespace of its own.
func WaterLink(make Maker) (*Network, error) { return tunLink(tun.OpenWater, make, "") }

// OffloadLink is WaterLink with segmentation offload.
func OffloadLink(make Maker) (*Network, error) { return tunLink(tun.OpenOffload, make, "") }

func tunLink(open func(string) (tun.Device, error), make Maker, congestion string) (*Network, error) {
	links++
	name := fmt.Sprintf("bench%d", links)
	prefix := func(host int) netip.Prefix {
		return netip.MustParsePrefix(fmt.Sprintf("10.%d.%d.%d/24", 80+links/250, links%250, host))
	}
	device, err := open(name)
	if err != nil {
		return nil, err
	}
	near, far := prefix(1), prefix(2)
	n := &Network{NearAddr: near.Addr(), FarAddr: far.Addr(), Far: kernelSide{}}
	if n.Near, err = make(device, near); err != nil {
		device.Close()
		return nil, err
	}
	if err := tun.Configure(name, tun.Config{Addresses: []netip.Prefix{far}, MTU: 1500, NoAddrGen: true, Congestion: congestion}); err != nil {
		n.Near.Close()
		return nil, err
	}
	return n, nil
}
