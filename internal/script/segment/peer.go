// Package segment stands between the packets of a script and those on a wire: it makes bytes of a
// packet that the script has the peer send, and compares what a stack has sent with a packet that
// the script expects. It knows the connections of the script, and so translates the script's
// numbers. The package is pure: it has no clock, and sends nothing.
package segment

import (
	"cmp"
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/trace"
)

// A Config says who talks and how packets are compared.
type Config struct {
	Local  netip.Addr // of the stack
	Remote netip.Addr // of the peer

	BindPort    uint16 // of the stack, until Bind says another one; 0: 8080
	ConnectPort uint16 // of the peer, where it sends a datagram first; 0: 8080

	// StrictSegments says that a segment of the script is one packet. Without, several packets in a
	// row whose payload adds up to it are as good (packetdrill's --strict_segments).
	StrictSegments bool

	// StrictOptions says that options of TCP are compared with their order and padding. Without,
	// nop, eol and the order don't count. It is ours.
	StrictOptions bool

	// Tick is how long the stack's timestamps take for one step (packetdrill's
	// --tcp_ts_tick_usecs). Zero, the default there, says that neither val nor ecr are compared.
	Tick time.Duration

	// Tolerance is how much a timestamp may be beside the script's.
	Tolerance time.Duration

	// ScaledEcho lets inbound segments echo timestamps that the stack hasn't sent: they are counted
	// on from the first one (packetdrill's --tcp_ts_ecr_scaled).
	ScaledEcho bool
}

// defaultPort is packetdrill's, of both sides.
const defaultPort = 8080

// firstPort is the port from which the peer begins its first connection.
const firstPort = 40000

// A Peer is the other side of the stack of one script. It remembers the connections: their ports,
// first numbers and timestamps. It is not safe for concurrent use.
type Peer struct {
	cfg   Config
	flows map[tuple]*flow
	last  map[uint8]*flow // the one of the script's last packet, by protocol

	bindPort   uint16
	bound      bool   // there was a bind, and no datagram has come since
	listening  bool   // the next inbound SYN begins a connection
	connecting bool   // the next outbound SYN or datagram may begin one
	nextPort   uint16 // of the peer's next connection

	lastSent []byte // the last packet of the stack, for an ICMP error to quote
}

// New returns the peer of a script that is about to begin.
func New(cfg Config) *Peer {
	cfg.ConnectPort = cmp.Or(cfg.ConnectPort, defaultPort)
	return &Peer{
		cfg: cfg, flows: map[tuple]*flow{}, last: map[uint8]*flow{},
		bindPort: cmp.Or(cfg.BindPort, defaultPort), nextPort: firstPort,
	}
}

// Bind says that the program has bound a socket to a port: from now on inbound packets that begin a
// connection and say no ports are for that one.
func (p *Peer) Bind(port uint16) { p.bindPort, p.bound = port, true }

// Listen says that the program has made a socket listen: the next inbound SYN without ports begins
// a new connection.
func (p *Peer) Listen() { p.listening = true }

// Connect says that the program has called connect, or has sent a datagram to an address: the next
// outbound SYN or datagram may begin a new connection, and a SYN even between ports that had one.
func (p *Peer) Connect() { p.connecting = true }

// Sent says that the stack has sent a packet, which an event may expect later or none. Of a SYN its
// connection learns the number that the peer's acknowledgements count from; the SYN of the first
// connect begins one.
func (p *Peer) Sent(packet []byte) {
	a := read(packet)
	if a.Kind != trace.TCP {
		return
	}
	f, ok := p.flows[a.outbound()]
	if !ok && begins(a) && p.connecting && p.last[protoTCP] == nil {
		f, ok = p.flow(a.outbound()), true
	}
	if ok {
		f.see(a)
	}
}

// Text is how a script would have a packet that the stack or the peer has sent, "> S. 0:0(0) ack 1
// win 65535 <mss 1460>", as far as its connection is known. It has the ports where they aren't
// those of the last connection.
func (p *Peer) Text(packet []byte) string {
	a := read(packet)
	inbound := a.Source != p.cfg.Local && a.Dest == p.cfg.Local
	t := a.outbound()
	if inbound {
		t = a.inbound()
	}
	f, ok := p.flows[t]
	if !ok {
		f = &flow{tuple: t}
	}
	shown, reason := a.packet(f, inbound, p.quoted)
	if shown == nil {
		return reason
	}
	if (shown.TCP != nil || shown.UDP != nil) && f != p.last[t.protocol] {
		shown.Ports = &[2]uint16{a.SourcePort, a.DestPort}
	}
	if quoted, _, ok := a.quotes(inbound); ok && shown.ICMP != nil && p.flows[quoted] != nil && p.flows[quoted] == p.last[quoted.protocol] {
		shown.ICMP.Quoted.Ports = nil
	}
	return shown.String()
}

// quoted is the flow of what an ICMP error quotes.
func (p *Peer) quoted(t tuple) *flow {
	if f, ok := p.flows[t]; ok {
		return f
	}
	return &flow{tuple: t}
}

// ipv6 reports whether the hosts have addresses of IPv6.
func (p *Peer) ipv6() bool { return p.cfg.Local.Is6() }

// flow is a known flow, or a new one, which becomes the last one of its protocol.
func (p *Peer) flow(t tuple) *flow {
	f, ok := p.flows[t]
	if !ok {
		f = &flow{tuple: t}
		p.flows[t] = f
	}
	p.last[t.protocol] = f
	return f
}

// inboundFlow is the flow of a packet that the script has the peer send.
func (p *Peer) inboundFlow(packet *syntax.Packet, protocol uint8) *flow {
	last := p.last[protocol]
	switch {
	case packet.Ports != nil:
		return p.flow(p.ports(protocol, packet.Ports[1], packet.Ports[0]))
	case protocol == protoUDP && (p.bound || last == nil):
		p.bound = false
		return p.flow(p.ports(protocol, p.bindPort, p.cfg.ConnectPort))
	case protocol == protoTCP && (last == nil || p.listening && isSYN(packet.TCP)):
		p.listening = false
		p.nextPort++
		return p.flow(p.ports(protocol, p.bindPort, p.nextPort-1))
	}
	return last
}

// isSYN reports whether a segment of the script is a SYN that acknowledges nothing.
func isSYN(s *syntax.Segment) bool {
	f, _ := parseFlags(s.Flags)
	return f&(syn|ack|rst) == syn
}
