package endpoint

import (
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/options"
)

// Info describes a socket at one moment, for Stack.Sockets and the status page.
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

// InfoOf returns a snapshot of a socket. It is for package stack.
func InfoOf(s *socket.Socket) Info { return Info(s.Info()) }
