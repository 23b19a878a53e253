package socket

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// An Anywhere makes the sockets of connections to addresses and ports that no socket is bound to:
// those of a forwarder. They have the options that a new socket of the stack has. It is safe for
// concurrent use.
type Anywhere struct {
	models   [2]*Socket // of IPv4 and IPv6; no stack lists them, and no call reaches them
	settings [2]transport.Settings
}

// NewAnywhere makes one for a stack, whose sockets belong to a user.
func NewAnywhere(h Host, owner string) (*Anywhere, wsa.Errno) {
	a := &Anywhere{}
	for i, family := range [...]int32{wsa.AF_INET, wsa.AF_INET6} {
		s := freshSocket(h, family, options.Stream, wsa.IPPROTO_TCP, owner)
		if err := s.setDefaults(h.Defaults()); err != 0 {
			return nil, err
		}
		s.mu.Lock()
		s.values.V6Only = family == wsa.AF_INET6
		a.settings[i] = s.settingsLocked([...]netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}[i])
		s.mu.Unlock()
		a.models[i] = s
	}
	return a, 0
}

// Settings are what a connection is made with.
func (a *Anywhere) Settings(id transport.ID) transport.Settings { return a.settings[version(id)] }

// Accept makes the socket of a connection: WSAECONNRESET where the connection has ended since,
// WSAENETDOWN where the stack is closed.
func (a *Anywhere) Accept(c *transport.Conn) (*Socket, wsa.Errno) {
	model := a.models[version(c.ID())]
	model.mu.Lock()
	n, err := model.inheritLocked(c)
	model.mu.Unlock()
	if err != 0 {
		c.Abort()
		return nil, err
	}
	if n.host.Down() { // since then: the stack may have missed it
		n.CloseDown()
		return nil, wsa.WSAENETDOWN
	}
	return n, 0
}

// version is 0 for a connection over IPv4, 1 for one over IPv6.
func version(id transport.ID) int {
	if id.LocalAddress.BitLen() == header.IPv4AddressSizeBits {
		return 0
	}
	return 1
}
