package simnet

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"

	"github.com/wsstack/wsstack/internal/nat"
	"github.com/wsstack/wsstack/tun"
)

// What describes the NAT of a router, and what is seen of it. The package of these types is
// internal; its documentation is that of the fields.
type (
	// NATConfig says how a router translates. The zero NATConfig is a NAT as RFC 4787 wants it,
	// which lets everybody answer, with the first IPv4 address that the router has at the link as
	// Outside. Rand is the network's, unless given.
	NATConfig = nat.Config
	// NATBehaviour says what of an endpoint outside counts.
	NATBehaviour = nat.Behaviour
	// NATProtocol is the number of a protocol that is translated.
	NATProtocol = nat.Protocol
	// NATTimeouts are how long sessions last without a packet.
	NATTimeouts = nat.Timeouts
	// NATForward is a static mapping, for what begins outside.
	NATForward = nat.Forward
	// NATMapping is what an inside endpoint has outside. Expires is a time since New.
	NATMapping = nat.Mapping
	// NATStats count what a NAT has done.
	NATStats = nat.Stats
)

// The behaviours of NATConfig.Mapping and NATConfig.Filtering (RFC 4787 §4.1 and §5). A NAT whose
// mappings are AddressAndPortDependent is what is called a symmetric one.
const (
	EndpointIndependent     = nat.EndpointIndependent
	AddressDependent        = nat.AddressDependent
	AddressAndPortDependent = nat.AddressAndPortDependent
)

// The protocols of NATForward and NATMapping. The port of ICMP is the identifier of an echo.
const (
	ICMP = nat.ICMP
	TCP  = nat.TCP
	UDP  = nat.UDP
)

// NAT makes a router, a host with stack.Config.Forwarding, translate the addresses of IPv4 at this
// link, which leads to the outside: what leaves by it has the router's address there as its source,
// and only what belongs to a mapping finds the way in. What comes for the router's address and for
// no mapping is the router's. IPv6 is only routed.
//
// The trace shows what is on the wire: on this link the outside address, on the others those of the
// hosts. With Link.Set, NAT takes the place of what was there, and everything that had been mapped
// is forgotten, as in a reboot.
func NAT(router *Host, config NATConfig) LinkOption {
	return changeNAT("NAT", router, func() *NATConfig { return &config })
}

// NoNAT makes a router send packets on at this link as they are.
func NoNAT(router *Host) LinkOption {
	return changeNAT("NoNAT", router, func() *NATConfig { return nil })
}

// changeNAT makes an option of a link; a nil NATConfig is none.
func changeNAT(option string, router *Host, config func() *NATConfig) LinkOption {
	return func(c *linkConfig) error {
		i := slices.Index(c.nodes[:], Node(router))
		switch {
		case i < 0:
			return fmt.Errorf("simnet: %s: %s is not on the link", option, router.Name())
		case !router.forwards:
			return fmt.Errorf("simnet: %s: %s is no router; make it with Router", option, router.Name())
		}
		c.nat[i] = &natChange{config()}
		return nil
	}
}

// A natChange is what an option has said about the NAT at an end of a link.
type natChange struct{ config *NATConfig } // nil: there shall be none

// apply gives the end of a router at a link another NAT, or none.
func (c *natChange) apply(e *linkEnd) error {
	p := e.port
	if c.config == nil {
		p.h.setTranslator(p, nil)
		return nil
	}
	config := *c.config
	addresses := p.h.Stack.Addresses(e.outer)
	if config.Outside == (netip.Addr{}) {
		for _, a := range slices.Backward(addresses) {
			if a.Addr().Is4() {
				config.Outside = a.Addr()
			}
		}
	}
	if !slices.ContainsFunc(addresses, func(a netip.Prefix) bool { return a.Addr() == config.Outside }) {
		return fmt.Errorf("simnet: NAT: Outside: %v is no address of IPv4 that %s has at the link", config.Outside, p.h.name)
	}
	if config.Rand == nil {
		config.Rand = rand.NewChaCha8(p.h.n.key("nat " + e.name))
	}
	table, err := nat.New(config)
	if err != nil {
		return fmt.Errorf("simnet: NAT of %s: %w", p.h.name, err)
	}
	p.h.setTranslator(p, &Translator{n: p.h.n, at: p, outside: config.Outside, table: table})
	return nil
}

// A Translator is the NAT of a router at a link. It is safe for concurrent use.
type Translator struct {
	n       *Network
	at      *port      // where the outside is
	outside netip.Addr // the address that is shared

	mu    sync.Mutex // a leaf; guards table
	table *nat.Table
}

// Translator returns the NAT that a router has at this link; nil: it has none.
func (l *Link) Translator(router *Host) *Translator {
	i := slices.Index(l.nodes[:], Node(router))
	if i < 0 || l.ends[i].port == nil {
		return nil
	}
	return l.ends[i].port.translator.Load()
}

// Mappings returns the mappings that there are now, by protocol and port.
func (t *Translator) Mappings() []NATMapping {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.table.Mappings(t.n.now())
}

// Stats returns the counters.
func (t *Translator) Stats() NATStats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.table.Stats()
}

// Flush forgets all mappings but those of Forwards, as a reboot does: connections through the NAT
// are cut off, and their ends learn it only by silence.
func (t *Translator) Flush() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.table.Flush()
}

// Forward adds a static mapping. It fails where the port has a mapping, or the inside endpoint has
// a Forward of the protocol.
func (t *Translator) Forward(f NATForward) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.table.Forward(f); err != nil {
		return t.n.fail(fmt.Errorf("simnet: %w", err))
	}
	return nil
}

// A way is the direction in which a packet passes a Translator: one of the methods of nat.Table.
type way func(*nat.Table) nat.Verdict

// translate calls f on the table, and returns the verdict with the fragments that it has set free.
func (t *Translator) translate(f way) (nat.Verdict, [][]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return f(t.table), t.table.Waiting()
}

// A port is what the stack of a router has as a device: an end of a link, with a NAT or without.
//
//	outside ◀── Send ── translator.Outbound ◀── stack ◀── receive ◀── Inside of the others ── inside
//	outside ──▶ receive ── translator.Inbound ──▶ stack ──▶ Send ──▶ inside
//
// It takes and gives plain packets only.
type port struct {
	tun.Device
	h          *Host
	translator atomic.Pointer[Translator] // nil: there is no NAT here
}

// newPort makes the port of an end of a router.
func (h *Host) newPort(e *linkEnd, below tun.Device) *port {
	e.port = &port{Device: below, h: h}
	return e.port
}

// translates reports whether there is a NAT at a port; of no port it says no.
func (p *port) translates() bool { return p != nil && p.translator.Load() != nil }

// setTranslator gives a port a NAT; nil: none.
func (h *Host) setTranslator(p *port, t *Translator) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []*Translator
	if old := h.translators.Load(); old != nil {
		list = slices.DeleteFunc(slices.Clone(*old), func(t *Translator) bool { return t.at == p })
	}
	if t != nil {
		list = append(list, t)
	}
	p.translator.Store(t)
	h.translators.Store(&list)
}

// Offload implements tun.Device: plain packets only.
func (*port) Offload() tun.Offload { return tun.Offload{} }

// Pending implements tun.Pender.
func (p *port) Pending() int {
	if d, ok := p.Device.(tun.Pender); ok {
		return d.Pending()
	}
	return 0
}

// Drops implements tun.Dropper.
func (p *port) Drops() uint64 {
	if d, ok := p.Device.(tun.Dropper); ok {
		return d.Drops()
	}
	return 0
}

// Send implements tun.Device.
func (p *port) Send(packets []tun.Packet) error {
	t := p.translator.Load()
	if t == nil {
		return p.Device.Send(packets)
	}
	now := p.h.n.now()
	out := make([]tun.Packet, 0, len(packets))
	for i := range packets {
		b := packets[i].Data.Flatten()
		verdict, waiting := t.translate(func(table *nat.Table) nat.Verdict { return table.Outbound(now, b) })
		if verdict == nat.Pass {
			out = appendBytes(out, &packets[i], append([][]byte{b}, waiting...))
		}
	}
	err := p.Device.Send(out)
	for i := range out {
		out[i].Data.Release()
	}
	return err
}

// appendBytes appends packets that go where p would.
func appendBytes(list []tun.Packet, p *tun.Packet, bytes [][]byte) []tun.Packet {
	for _, b := range bytes {
		one := *p
		one.Data = buffer.MakeWithData(b)
		list = append(list, one)
	}
	return list
}

// Start implements tun.Device.
func (p *port) Start(receive func([]tun.Packet)) error {
	return p.Device.Start(func(packets []tun.Packet) {
		if all := p.h.translators.Load(); all != nil && len(*all) > 0 {
			packets = p.arrive(*all, packets)
		}
		if len(packets) > 0 {
			receive(packets)
		}
	})
}

// arrive translates what comes by the port, and returns what is for the stack.
func (p *port) arrive(all []*Translator, packets []tun.Packet) (in []tun.Packet) {
	now := p.h.n.now()
	in = make([]tun.Packet, 0, len(packets))
	for i := range packets {
		t, f := p.which(all, &packets[i])
		if t == nil {
			in = append(in, packets[i])
			continue
		}
		b := packets[i].Data.Flatten()
		packets[i].Data.Release()
		verdict, waiting := t.translate(func(table *nat.Table) nat.Verdict { return f(table, now, b) })
		switch list := append([][]byte{b}, waiting...); verdict {
		case nat.Pass:
			in = appendBytes(in, &packets[i], list)
		case nat.Return:
			p.h.sendInside(list)
		}
	}
	return in
}

// which finds the NAT that has to do with a packet that comes by the port, and what that does with
// it: the port's own one, or else the one whose outside address the packet is for. A nil Translator
// is nobody.
func (p *port) which(all []*Translator, packet *tun.Packet) (*Translator, func(*nat.Table, time.Duration, []byte) nat.Verdict) {
	if t := p.translator.Load(); t != nil {
		return t, (*nat.Table).Inbound
	}
	var first [20]byte
	n, _ := packet.Data.ReadAt(first[:], 0) // its error says only that the end was reached
	if n < len(first) || first[0]>>4 != 4 {
		return nil, nil
	}
	for _, t := range all {
		if t.outside == netip.AddrFrom4([4]byte(first[16:])) {
			return t, (*nat.Table).Inside
		}
	}
	return nil, nil
}

// sendInside sends packets between two inside hosts, which were translated, to the second one. They
// don't go through the stack of the router, which takes no packets from an address of its own.
func (h *Host) sendInside(list [][]byte) {
	for _, b := range list {
		d, _ := h.Stack.DeviceTo(netip.AddrFrom4([4]byte(b[16:]))).(*port)
		if d == nil || d.translates() || len(b) > d.MTU() {
			continue // there is no way, or not to the inside, or not for a packet of this size
		}
		one := []tun.Packet{{Data: buffer.MakeWithData(b)}}
		_ = d.Device.Send(one) // it fails only after Close
		one[0].Data.Release()
	}
}
