package transport

import (
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/wsa"
)

// A Report is what an ICMP error says of a segment that was sent. Anybody can send such an error:
// it counts only where it quotes a number that is in flight (RFC 5927 §4.1).
type Report struct {
	Quoted tcp.Seq           // the sequence number of the segment
	MTU    int               // the size of the packets that the path takes; 0: the peer isn't reached
	Info   wsa.ICMPErrorInfo // what Conn.Unreachable tells of the error
}

// Report takes an ICMP error about a segment of a tuple. The owner of the netstack calls Report,
// because netstack gives errors only to endpoints that it knows. Report returns whether the error
// was believed; where another goroutine has the connection, and looks at the error later, Report
// returns true.
func (p *Protocol) Report(id ID, r Report) (believed bool) {
	c := p.table.conn(id)
	switch {
	case c == nil:
		return false
	case !c.mu.TryLock():
		c.deliver(&delivery{report: &r})
		return true
	}
	believed = c.report(&r)
	c.unlock(p.now())
	return believed
}

// report is Report with the connection locked.
func (c *Conn) report(r *Report) (believed bool) {
	switch {
	case c.gone:
		return false
	case r.MTU != 0:
		return c.quotes(r.Quoted) && c.tooBig(r)
	case c.engine.State() != tcp.SynSent && c.engine.State() != tcp.SynReceived:
		return c.quotes(r.Quoted) // a hint that changes nothing (RFC 5461 §4)
	}
	if !c.engine.Unreachable(r.Quoted) {
		return r.Quoted == c.engine.ISS()
	}
	info := r.Info
	c.icmp.Store(&info)
	return true
}

// quotes reports whether a number is in flight on a connection that was established.
func (c *Conn) quotes(quoted tcp.Seq) bool {
	e := c.engine
	return e.State().Synchronized() && quoted.In(e.End().Add(-e.Queued()), e.InFlight())
}

// tooBig takes the MTU of the path from an ICMP error. IPv4 packets don't become smaller than
// Hooks.MinPathMTU bytes; routers may cut up packets of that size (RFC 1191 §3 has 68 bytes as the
// least, which would be a flood of headers).
func (c *Conn) tooBig(r *Report) (believed bool) {
	ip, least, v4 := header.IPv4MinimumSize, inet.MinMTU4, true
	if c.way.route.NetProto() == header.IPv6ProtocolNumber {
		ip, least, v4 = header.IPv6MinimumSize, inet.MinMTU6, false
	}
	if r.MTU < least {
		return false
	}
	hooks := &c.proto.hooks
	if hooks.PathMTU != nil {
		hooks.PathMTU(c.way.id.RemoteAddress, uint32(r.MTU))
	}
	mtu := r.MTU
	if floor := int(hooks.MinPathMTU); v4 && mtu < floor {
		mtu, c.way.fragment = floor, true
	}
	c.engine.PathMTU(mtu-ip-header.TCPMinimumSize, r.Quoted)
	return true
}
