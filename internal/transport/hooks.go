package transport

import "gvisor.dev/gvisor/pkg/tcpip"

// Hooks are what whoever has the netstack wants to hear, and to have kept to. Each
// may be nil, or 0.
type Hooks struct {
	// Freed is told of a connection that Dial has made, once its tuple can be used
	// again: neither the connection nor a record of its TIME-WAIT is there.
	Freed func(ID)

	// PathMTU is told of an ICMP error that was believed: packets of so many bytes
	// reach the address.
	PathMTU func(remote tcpip.Address, mtu uint32)

	// MinPathMTU is the least that an ICMP error makes of the size of IPv4 packets,
	// in bytes.
	MinPathMTU uint32
}

// Configure sets the Hooks. It is called once, before anything else.
func (p *Protocol) Configure(h Hooks) { p.hooks = h }

func (p *Protocol) freed(id ID) {
	if p.hooks.Freed != nil {
		p.hooks.Freed(id)
	}
}

// SetGarbage says whether keep-alive probes of all connections carry an octet
// (KA-8). It holds for those that leave from now on.
func (p *Protocol) SetGarbage(on bool) { p.garbage.Store(on) }
