package testbed

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// resolve returns the addresses that a host with a port may stand for.
func (t *Testbed) resolve(address string) ([]netip.AddrPort, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("%q is not the number of a port", service)
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.AddrPort{netip.AddrPortFrom(a, uint16(port))}, nil
	}
	var list []netip.AddrPort
	for _, a := range t.Names()[host] {
		list = append(list, netip.AddrPortFrom(a, uint16(port)))
	}
	if host == "localhost" && len(list) == 0 {
		list = append(list, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port)))
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no host of the network is called %q", host)
	}
	return list, nil
}
