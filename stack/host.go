package stack

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/internal/wait"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// A host is a Stack as its sockets see it, whose users don't. The methods are those of
// socket.Host, which has their documentation.
type host Stack

var _ socket.Host = (*host)(nil)

func init() {
	socket.HostOf = func(st any) socket.Host { return st.(interface{ host() *host }).host() }
}

func (s *Stack) host() *host { return (*host)(s) }

func (h *host) Netstack() *netstack.Stack { return h.ns }
func (h *host) TCP() *transport.Protocol  { return h.tcp }
func (h *host) Clock() tcpip.Clock        { return h.clock }
func (h *host) Outside(f func())          { h.outside.Do(f) }
func (h *host) Down() bool                { return h.down.Load() }

// Collects reports true only where nobody minds when the garbage collector finds something: in a
// Stepped stack that would be seen on the wire; and the cleanups of the runtime run outside of
// bubbles of testing/synctest, and mustn't ring a bell that was made inside.
func (h *host) Collects() bool { return h.outside.Outside() }

// NewWaiter returns no nil in a stack that was made in a bubble of testing/synctest: whoever gets
// nil pools channels for all stacks of the process, and those of a bubble are the bubble's.
func (h *host) NewWaiter() wait.Waiter {
	switch {
	case h.cfg.NewWaiter != nil:
		return h.cfg.NewWaiter()
	case h.outside.Outside():
		return nil
	}
	return wait.NewChannelWaiter()
}

// What Config says of sockets.

func (h *host) Profile() options.Profile             { return h.cfg.Profile }
func (h *host) Defaults() []options.Assignment       { return h.cfg.Defaults }
func (h *host) SendBuffer() int                      { return h.cfg.SendBuffer }
func (h *host) KeepAliveDefaults() options.KeepAlive { return *h.keepAlive.Load() }
func (h *host) MinMSS() int                          { return int(h.cfg.MinMSS) }
func (h *host) RawAllowed() bool                     { return !h.cfg.DenyRaw }

// Addresses and routes.

func (h *host) Source(bound, remote netip.Addr) (netip.Addr, tcpip.NICID, wsa.Errno) {
	return (*Stack)(h).source(bound, remote)
}

func (h *host) LocalZone(a netip.Addr) netip.Addr  { return (*Stack)(h).ownZone(a) }
func (h *host) RemoteZone(a netip.Addr) netip.Addr { return (*Stack)(h).onlyZone(a) }
func (h *host) ZoneName(a netip.Addr) netip.Addr   { return (*Stack)(h).zoneName(a) }

func (h *host) IsLocal(a netip.Addr) bool        { return (*Stack)(h).isLocal(a) }
func (h *host) IsBroadcast(a netip.Addr) bool    { return (*Stack)(h).isBroadcast(a) }
func (h *host) Interfaces() []options.Interface  { return (*Stack)(h).interfaces() }
func (h *host) PathMTU(remote netip.Addr) uint32 { return h.pathMTU.of(plain(remote).WithZone("")) }

func (h *host) LearnPathMTU(remote netip.Addr, mtu uint32) {
	h.pathMTU.learn(plain(remote).WithZone(""), mtu)
}

// The port registry.

func (h *host) Bind(b *socket.Binding) wsa.Errno {
	if b.Raw {
		h.hooks.bindRaw(b, 1)
		return 0
	}
	return h.ports.bind(b)
}

func (h *host) Unbind(b *socket.Binding) {
	if b.Raw {
		h.hooks.bindRaw(b, -1)
		return
	}
	h.ports.unbind(b)
}

func (h *host) Hold(b *socket.Binding, active func() bool) (release func()) {
	return h.ports.hold(b, active)
}

func (h *host) Occupy(t socket.Tuple) { h.ports.occupy(t) }
func (h *host) Vacate(t socket.Tuple) { h.ports.vacate(t) }

// The list of sockets, the pump, and what leaves past netstack's endpoints.

func (h *host) NewID() uint64               { return h.sockets.last.Add(1) }
func (h *host) Register(s *socket.Socket)   { h.sockets.add(s) }
func (h *host) Unregister(s *socket.Socket) { h.sockets.remove(s) }
func (h *host) Signal(s *socket.Socket)     { h.work.signal(s) }

func (h *host) Debug(r socket.Record) {
	h.debug.add(r)
	h.work.wake()
}

func (h *host) SendPacket(p *socket.OwnPacket) tcpip.Error { return (*Stack)(h).sendPacket(p) }
func (h *host) ForgetDatagrams(ep tcpip.Endpoint)          { h.hooks.empties.Delete(ep) }
