package transport

import (
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/tcp"
)

// A Report is what an ICMP error says of a segment that was sent. Anybody can send
// one: it counts only if it quotes a number that is in flight (RFC 5927 §4.1).
type Report struct {
	Quoted tcp.Seq // the sequence number of the segment
	MTU    int     // what the path takes, bytes of a packet; 0: the peer isn't reached
}

// The least that any path takes: RFC 791 and RFC 8200 §5, in bytes. An error that
// says less is a lie.
const (
	minMTU4 = 68
	minMTU6 = 1280
)

// Report takes an ICMP error for the segment of a tuple. Somebody has to give it
// here: netstack gives errors only to endpoints that it knows.
func (p *Protocol) Report(id ID, r Report) {
	if c := p.table.conn(id); c != nil {
		c.deliver(&arrived{report: r, error: true})
	}
}

func (c *Conn) report(r Report) {
	if r.MTU == 0 {
		c.engine.Unreachable(r.Quoted)
		return
	}
	ip, least := header.IPv4MinimumSize, minMTU4
	if c.path.route.NetProto() == header.IPv6ProtocolNumber {
		ip, least = header.IPv6MinimumSize, minMTU6
	}
	if r.MTU >= least {
		c.engine.PathMTU(r.MTU-ip-header.TCPMinimumSize, r.Quoted)
	}
}
