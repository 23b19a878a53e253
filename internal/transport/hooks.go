package transport

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/internal/tcp"
)

// Hooks are what the owner of the netstack wants to be told, and what it wants to be otherwise. A
// hook may be nil, and the others may be zero.
type Hooks struct {
	// Freed is told of a connection that Dial has made, once the tuple of the connection can be
	// used again: neither the connection nor a record of its TIME-WAIT is left.
	Freed func(ID)

	// PathMTU is told of an ICMP error that was believed: packets of mtu bytes reach the address.
	PathMTU func(remote tcpip.Address, mtu uint32)

	// Extended sends a segment whose packet has more in its header than netstack can write. It may
	// be called with a connection locked, and takes no lock of this package.
	Extended func(*Extended) tcpip.Error

	// MinPathMTU is the least size of IPv4 packets, in bytes, that an ICMP error brings about.
	MinPathMTU uint32

	// OddResets has a listener answer a segment without SYN, ACK and RST, and one with SYN and FIN,
	// by a RST.
	OddResets bool

	// ECN has connections offer and accept ECN (RFC 3168).
	ECN bool

	// Memory is how many bytes the connections may hold together; 0: there is no bound.
	Memory int64

	// Parts is how many goroutines deliver segments, each those of its share of the connections
	// (package parts); 0 stands for one.
	Parts int

	// AckInResets gives a RST without ACK its sequence number as acknowledgement number, too.
	AckInResets bool
}

// An Extended is a segment on its way to Hooks.Extended.
type Extended struct {
	Route   *stack.Route // the way to the destination, which isn't the first hop where there are several
	TTL     uint8
	TOS     uint8
	DF      bool
	Extras  *inet.Extras // what is added to the header
	Segment []byte       // with its checksum
}

// Configure sets the Hooks. It is called once, before anything else.
func (p *Protocol) Configure(h Hooks) {
	p.hooks = h
	p.divide(max(h.Parts, 1))
	if h.Memory > 0 {
		p.memory = tcp.NewMemory(h.Memory)
		p.orphans.maxBytes = min(maxOrphanBytes, int(h.Memory/4))
	}
}

// Memory is what the connections hold; nil: there is no bound.
func (p *Protocol) Memory() *tcp.Memory { return p.memory }

// freed calls Hooks.Freed.
func (p *Protocol) freed(id ID) {
	if p.hooks.Freed != nil {
		p.hooks.Freed(id)
	}
}

// SetGarbage says whether the keep-alive probes of all connections carry an octet from now on
// (KA-8).
func (p *Protocol) SetGarbage(on bool) { p.garbage.Store(on) }
