package endpoint

import (
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/options"
)

// Info describes a socket at one moment, for Stack.Sockets and the status page.
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
}

// InfoOf returns a snapshot of a socket. It is for package stack.
func InfoOf(s *socket.Socket) Info {
	c := conn{sock: s}
	i := Info(s.Info())
	i.Local, i.Remote = c.named(i.Local), c.named(i.Remote)
	return i
}
