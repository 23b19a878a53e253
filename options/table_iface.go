package options

import (
	"net/netip"

	"github.com/wsstack/wsstack/wsa"
)

// interfaceRows are the options of both levels whose value is an interface.
func (l ipLevel) interfaceRows() []compiler {
	index := networkIndex // C-41
	if l.level == wsa.IPPROTO_IPV6 {
		index = dword
	}
	unicast := ipRow(l, wsa.IP_UNICAST_IF, "UNICAST_IF",
		"Index of the interface for outgoing unicast; 0: by the route table. On streams and connected sockets it counts at connect.", index,
		func(v *IPValues) *uint32 { return &v.UnicastIf })
	unicast.resolve = knownInterface
	multicast := ipRow(l, wsa.IP_MULTICAST_IF, "MULTICAST_IF",
		"Index of the interface for outgoing multicast; 0: by the route table.", index,
		func(v *IPValues) *uint32 { return &v.MulticastIf }).only(messageKinds)
	multicast.resolve = knownInterface
	if l.level == wsa.IPPROTO_IP {
		const order = " Network order in set, host order in get."
		unicast.text += order
		multicast.text += order + " An address of the interface will do."
		multicast.resolve = interfaceOrAddress
	}
	return []compiler{
		unicast, multicast,
		ipRow(l, wsa.IP_IFLIST, "IFLIST", "Datagrams are received from the interfaces of a list only, which is empty at first.",
			boolean, func(v *IPValues) *bool { return &v.Interfaces.On }),
		l.listRow(wsa.IP_ADD_IFLIST, "ADD_IFLIST", "Adds an interface to the list, up to 16.", addInterface),
		l.listRow(wsa.IP_DEL_IFLIST, "DEL_IFLIST", "Takes an interface off the list.",
			func(_ Endpoint, list *InterfaceList, index uint32) wsa.Errno {
				if !list.remove(index) {
					return wsa.WSAEINVAL
				}
				return 0
			}),
		l.getListRow(),
	}
}

// knownInterface refuses the index of an interface there isn't.
func knownInterface(ep Endpoint, _ *Values, index uint32) (uint32, wsa.Errno) {
	if index != 0 && !ep.HasInterface(index) {
		return 0, wsa.WSAEADDRNOTAVAIL
	}
	return index, 0
}

// interfaceOrAddress is the value of IP_MULTICAST_IF: an IPv4 address in
// network order, or 0.x.y.z for the index x.y.z.
func interfaceOrAddress(ep Endpoint, v *Values, n uint32) (uint32, wsa.Errno) {
	if n < 1<<24 {
		return knownInterface(ep, v, n)
	}
	index, ok := ep.InterfaceOf(netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}))
	if !ok {
		return 0, wsa.WSAEADDRNOTAVAIL
	}
	return index, 0
}

func addInterface(ep Endpoint, list *InterfaceList, index uint32) wsa.Errno {
	switch {
	case !ep.HasInterface(index):
		return wsa.WSAEINVAL
	case !list.add(index):
		return wsa.WSAENOBUFS
	}
	return 0
}

// listRow changes the interface list, once IP_IFLIST is on. The change is
// tried on a copy first: a failed call changes nothing.
func (l ipLevel) listRow(name int32, suffix, text string, change func(ep Endpoint, list *InterfaceList, index uint32) wsa.Errno) row[uint32] {
	r := ipRow(l, name, suffix, text, dword, func(*IPValues) *uint32 { return nil })
	r.access, r.kinds, r.field = setAccess, messageKinds, nil
	r.apply = func(ep Endpoint, v *Values, index uint32) wsa.Errno {
		list := &l.values(v).Interfaces
		if !list.On {
			return wsa.WSAEINVAL
		}
		changed := *list
		if err := change(ep, &changed, index); err != 0 {
			return err
		}
		*list = changed
		return 0
	}
	return r
}

func (l ipLevel) getListRow() row[InterfaceList] {
	r := ipRow(l, wsa.IP_GET_IFLIST, "GET_IFLIST", "The list; WSAEINVAL without IP_IFLIST.",
		interfaceList, func(v *IPValues) *InterfaceList { return &v.Interfaces })
	r.access, r.defText = getAccess, "empty"
	r.field = nil
	r.length = func(v *Values) int { return 4 * len(l.values(v).Interfaces.All()) }
	r.live = func(v *Values, _ Endpoint) (InterfaceList, wsa.Errno) {
		list := l.values(v).Interfaces
		if !list.On { // observed
			return InterfaceList{}, wsa.WSAEINVAL
		}
		return list, 0
	}
	return r
}
