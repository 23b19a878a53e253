package stack

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/socket"

	"github.com/wsstack/wsstack/internal/translate"
	"github.com/wsstack/wsstack/internal/transport"
)

// newTCP makes the TCP of the stack.
func (s *Stack) newTCP(ns *netstack.Stack) netstack.TransportProtocol {
	s.tcp = transport.New(ns).(*transport.Protocol)
	s.work.tcp = s.tcp
	wire := s.cfg.Profile.Wire()
	s.tcp.Configure(transport.Hooks{
		Freed: func(id transport.ID) {
			s.ports.vacate(socket.Tuple{
				Local:  translate.AddrPort(tcpip.FullAddress{NIC: id.Zone, Addr: id.LocalAddress, Port: id.LocalPort}),
				Remote: translate.AddrPort(tcpip.FullAddress{NIC: id.Zone, Addr: id.RemoteAddress, Port: id.RemotePort}),
			})
		},
		PathMTU: func(remote tcpip.Address, mtu uint32) {
			s.pathMTU.learn(addrPort(remote, 0).Addr(), mtu)
		},
		Extended:    s.writeSegment,
		MinPathMTU:  s.cfg.MinPathMTU,
		OddResets:   wire.OddResets,
		AckInResets: wire.AckInResets,
		ECN:         s.cfg.ECN,
		Parts:       len(s.work.parts),
		Memory:      s.cfg.Memory,
	})
	s.tcp.SetGarbage(s.cfg.KeepAlive.garbage(s.cfg.Profile))
	return &gVisorForwarderUnsupportedUseStackNewForwarder{s.tcp}
}

// gVisorForwarderUnsupportedUseStackNewForwarder is our TCP under the name that
// somebody reads whose call of gVisor's tcp.NewForwarder panics: that asserts the
// type of gVisor's TCP, and its message has nothing of ours but the name.
type gVisorForwarderUnsupportedUseStackNewForwarder struct{ *transport.Protocol }

// NewEndpoint fails: it is called for who makes sockets of gVisor's own packages.
func (gVisorForwarderUnsupportedUseStackNewForwarder) NewEndpoint(tcpip.NetworkProtocolNumber, *waiter.Queue) (tcpip.Endpoint, tcpip.Error) {
	return nil, &errNoEndpoint{}
}

// errNoEndpoint says what to use instead of gonet.
type errNoEndpoint struct{ tcpip.ErrNotSupported }

// String implements tcpip.Error.
func (*errNoEndpoint) String() string {
	return "TCP has no endpoints of gVisor here: use Dial, Listen or NewForwarder of the wsstack Stack"
}
