package testbed

import (
	"fmt"
	"io"
	"net/netip"
)

// Routes are the routes of a host as text, in their order.
func (n *Network) Routes(host string) []string {
	var list []string
	for _, h := range n.routes(n.index(host)) {
		list = append(list, fmt.Sprintf("%v via %v on %s", h.destination, h.via, n.Links[h.link].Name))
	}
	return list
}

// NameServers are the addresses of the name servers of a host.
func (n *Network) NameServers(host string) []netip.Addr { return n.nameServers(n.index(host)) }

// Lines are the lines that can be read.
func Lines(r io.Reader) (list []string) {
	forEachLine(r, func(text string) { list = append(list, text) })
	return list
}

// CommandText is commandText.
func CommandText(args ...string) string { return commandText(args) }
