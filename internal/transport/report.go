package transport

import (
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/wsa"
)

// A Report is what an ICMP error says of a segment that was sent. Anybody can send
// one: it counts only if it quotes a number that is in flight (RFC 5927 §4.1).
type Report struct {
	Quoted tcp.Seq           // the sequence number of the segment
	MTU    int               // what the path takes, bytes of a packet; 0: the peer isn't reached
	Info   wsa.ICMPErrorInfo // what Conn.Unreachable tells of it
}

// Report takes an ICMP error for the segment of a tuple. Somebody has to give it
// here: netstack gives errors only to endpoints that it knows. It reports whether
// the error was believed; while another goroutine has the connection, which then
// looks at the error later, it says that it was.
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

// report is called with the connection locked.
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

// tooBig takes what the path takes. IPv4 packets of less than Hooks.MinPathMTU bytes
// aren't made: routers may cut up those of that size (RFC 1191 §3 has 68 bytes as the
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
