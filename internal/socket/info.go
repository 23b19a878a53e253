package socket

import (
	"fmt"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// Info is what endpoint.Info is made from, which documents the fields.
type Info struct {
	ID        uint64         // the number of the socket on its stack
	Network   string         // "tcp4", "tcp6", "udp4", "udp6", "ip4" or "ip6"
	State     string         // the TCP state as RFC 9293 spells it; "bound" and the like without one
	Local     netip.AddrPort // the local address; not valid before the socket is bound
	Remote    netip.AddrPort // the peer's address; not valid when there is no peer
	RecvQueue int            // how many bytes were received and not read; 0 for a listener
	SendQueue int            // how many bytes were accepted and not acknowledged
	Created   time.Time      // when the socket was made, on the stack's clock
	Connected time.Duration  // how long the connection is established; 0 without one
	Options   options.Values // what the options are set to
	TCP       *tcp.Info      // the connection; nil without one
}

// Info returns a snapshot of the socket.
func (s *Socket) Info() Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pollLocked()
	family := 4
	if s.family == wsa.AF_INET6 {
		family = 6
	}
	i := Info{
		ID:      s.id,
		Network: fmt.Sprintf("%s%d", s.behaviour.name(), family),
		State:   s.stateName(),
		Local:   s.local,
		Remote:  s.remote,
		Created: s.created,
		Options: s.values,
	}
	i.Connected, _ = (*optionView)(s).ConnectedFor()
	switch {
	case s.conn != nil && s.state == options.Connected:
		i.RecvQueue, i.SendQueue = s.conn.Readable(), s.conn.Queued()
		s.conn.Do(func(_ time.Duration, c *tcp.Conn) {
			info := c.Info()
			i.TCP = &info
		})
	case s.ep != nil:
		i.RecvQueue, _ = s.ep.GetSockOptInt(tcpip.ReceiveQueueSizeOption)
	}
	return i
}

// stateName is the TCP state in the spelling of RFC 9293 where there is one.
func (s *Socket) stateName() string {
	if s.conn != nil {
		return s.connState().String()
	}
	switch s.state {
	case options.Listening:
		return "LISTEN"
	case options.Fresh:
		return "unbound"
	case options.Bound:
		return "bound"
	case options.Connected:
		return "connected"
	}
	return "CLOSED"
}
