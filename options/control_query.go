package options

import (
	"encoding/binary"
	"net/netip"
	"strconv"

	"github.com/wsstack/wsstack/wsa"
)

// An Interface is one address of an interface, for SIO_GET_INTERFACE_LIST. An interface with
// several addresses has an Interface for each of them.
type Interface struct {
	Prefix    netip.Prefix // the address, and the length of the prefix that is on link
	Index     uint32       // the index of the interface, which is the scope id of a link-local address
	Loopback  bool         // whether the interface is the loopback interface
	Broadcast netip.Addr   // the broadcast address; not valid when there is none
}

// scoped is the address with its zone, if it is link-local: the index of the interface (ZN-4).
func (i Interface) scoped() netip.Addr {
	if a := i.Prefix.Addr(); a.Is6() && a.IsLinkLocalUnicast() {
		return a.WithZone(strconv.FormatUint(uint64(i.Index), 10))
	}
	return i.Prefix.Addr()
}

// tcpInfo is SIO_TCP_INFO. The error of an unknown version and of a short buffer is WSAEINVAL.
func tcpInfo(_ *Values, ep Endpoint, in, out []byte) (int, wsa.Errno) {
	version := binary.LittleEndian.Uint32(in)
	size := wsa.TCPInfoSize(version)
	if size == 0 || len(out) < size {
		return 0, wsa.WSAEINVAL
	}
	return len(ep.TCPInfo().Append(out[:0], version)), 0
}

// leastBacklog is the ideal send backlog, in bytes, of a connection that has sent nothing yet
// (observed).
const leastBacklog = 0x10000

func idealBacklog(_ *Values, ep Endpoint, _, out []byte) (int, wsa.Errno) {
	i := ep.TCPInfo()
	putUint32(out, max(leastBacklog, min(i.Cwnd, i.SndWnd)))
	return 4, 0
}

// addressList is SIO_ADDRESS_LIST_QUERY. For a short buffer it writes nothing and returns the size
// that is needed.
func addressList(_ *Values, ep Endpoint, _, out []byte) (int, wsa.Errno) {
	var addrs []netip.AddrPort
	for _, i := range ep.Interfaces() {
		if !i.Loopback {
			addrs = append(addrs, netip.AddrPortFrom(i.scoped(), 0))
		}
	}
	if need := wsa.AddressListLen(ep.Family(), len(addrs)); len(out) < need {
		return need, wsa.WSAEFAULT
	}
	return len(wsa.AppendAddressList(out[:0], addrs)), 0
}

func routingInterface(_ *Values, ep Endpoint, in, out []byte) (int, wsa.Errno) {
	to, err := wsa.ParseSockaddr(in)
	switch {
	case err != 0:
		return 0, err
	case wsa.Family(to.Addr()) != ep.Family():
		return 0, wsa.WSAEAFNOSUPPORT
	case len(out) < wsa.SockaddrLen(ep.Family()):
		return 0, wsa.WSAEFAULT
	}
	local, err := ep.SourceFor(to.Addr())
	if err != 0 {
		return 0, err
	}
	return len(wsa.AppendSockaddr(out[:0], ofFamily(ep.Family(), netip.AddrPortFrom(local, 0)))), 0
}

func interfaceInfos(_ *Values, ep Endpoint, _, out []byte) (int, wsa.Errno) {
	list := ep.Interfaces()
	if need := len(list) * wsa.SizeofInterfaceInfo; len(out) < need {
		return need, wsa.WSAEFAULT
	}
	b := out[:0]
	for _, i := range list {
		info := wsa.InterfaceInfo{Flags: wsa.IFF_UP | wsa.IFF_MULTICAST, Address: i.Prefix.Addr(), Broadcast: i.Broadcast, Netmask: netmask(i.Prefix)}
		if i.Loopback {
			info.Flags |= wsa.IFF_LOOPBACK
		}
		if i.Broadcast.IsValid() {
			info.Flags |= wsa.IFF_BROADCAST
		}
		b = info.Append(b)
	}
	return len(b), 0
}

// netmask is the mask of a prefix in the form of an address.
func netmask(p netip.Prefix) netip.Addr {
	b := make([]byte, p.Addr().BitLen()/8)
	for i := range p.Bits() {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func broadcastAddress(_ *Values, _ Endpoint, _, out []byte) (int, wsa.Errno) {
	return len(wsa.AppendSockaddr(out[:0], netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), 0))), 0
}

func baseHandle(_ *Values, ep Endpoint, _, out []byte) (int, wsa.Errno) {
	binary.LittleEndian.PutUint64(out, ep.Handle())
	return 8, 0
}
