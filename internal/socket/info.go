package socket

import (
	"fmt"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// Info is endpoint.Info, which documents it.
type Info struct {
	ID        uint64
	Network   string // "tcp4", "tcp6", "udp4", "udp6", "ip4" or "ip6"
	State     string // the TCP state in RFC spelling; of datagram sockets the socket's
	Local     netip.AddrPort
	Remote    netip.AddrPort // not valid when there is no peer
	RecvQueue int            // bytes received and not read; of a listener, 0
	SendQueue int            // bytes accepted and not acknowledged
	Created   time.Time      // on the stack's clock
	Connected time.Duration  // since established; 0 when not connected
	Options   options.Values
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
