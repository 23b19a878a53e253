package bench

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	wgtun "golang.zx2c4.com/wireguard/tun"
	"golang.zx2c4.com/wireguard/tun/netstack"
)

// NetstackLink joins two of wireguard-go's netstacks, MTU 1500, without a tunnel: a goroutine for
// each direction reads packets from the TUN of one and writes them to that of the other.
func NetstackLink() (*Network, error) {
	n := &Network{NearAddr: netip.MustParseAddr("10.0.0.1"), FarAddr: netip.MustParseAddr("10.0.0.2")}
	nearDevice, near, err := netstack.CreateNetTUN([]netip.Addr{n.NearAddr}, nil, 1500)
	if err != nil {
		return nil, err
	}
	farDevice, far, err := netstack.CreateNetTUN([]netip.Addr{n.FarAddr}, nil, 1500)
	if err != nil {
		nearDevice.Close()
		return nil, err
	}
	var pumps sync.WaitGroup
	var carried atomic.Int64
	pumps.Go(func() { carry(nearDevice, farDevice, &carried) }) // both end when their device is closed
	pumps.Go(func() { carry(farDevice, nearDevice, &carried) })
	stop := func() {
		// A packet that leaves while a device is closed panics: connections end first.
		for before := int64(-1); before != carried.Load(); time.Sleep(quiet) {
			before = carried.Load()
		}
		nearDevice.Close()
		farDevice.Close()
		pumps.Wait()
	}
	n.Near, n.Far = netstackSide{near, n.NearAddr, stop}, netstackSide{far, n.FarAddr, func() {}}
	return n, nil
}

// quiet is how long there is no packet before a device is closed.
const quiet = 100 * time.Millisecond

// carry takes packets from one device to another, and counts them, until one of them is closed. A
// packet that the other one doesn't want is no reason to stop.
func carry(from, to wgtun.Device, carried *atomic.Int64) {
	packets := make([][]byte, from.BatchSize())
	for i := range packets {
		packets[i] = make([]byte, 1500)
	}
	sizes, read := make([]int, len(packets)), make([][]byte, len(packets))
	for {
		n, err := from.Read(packets, sizes, 0)
		if err != nil {
			return
		}
		for i := range n {
			read[i] = packets[i][:sizes[i]]
		}
		carried.Add(int64(n))
		_, _ = to.Write(read[:n], 0)
	}
}

type netstackSide struct {
	*netstack.Net
	addr netip.Addr
	stop func()
}

func (s netstackSide) Listen(port uint16) (net.Listener, error) {
	return s.ListenTCPAddrPort(netip.AddrPortFrom(s.addr, port))
}

func (s netstackSide) Dial(to netip.AddrPort) (net.Conn, error) { return s.DialTCPAddrPort(to) }

func (s netstackSide) ListenPacket(port uint16) (net.PacketConn, error) {
	return s.ListenUDPAddrPort(netip.AddrPortFrom(s.addr, port))
}

func (s netstackSide) DialPacket(to netip.AddrPort) (net.Conn, error) {
	return s.DialUDPAddrPort(netip.AddrPort{}, to)
}

func (s netstackSide) Close() { s.stop() }
