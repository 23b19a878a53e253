// Package gateway is the way out of a stack: whatever its peers connect to, the process that has
// the stack connects to in their place, and passes on what is said.
//
// The host's side goes first: a connection is established when the host has established its own,
// and what the host is told instead (refused, unreachable, nothing) is what the peer is told. A
// half-close is passed on, and a reset is. Datagrams have sessions, one connected socket of the
// host each. Echo requests go out by the host's unprivileged ping sockets where it has them (see
// ping(7) on net.ipv4.ping_group_range); elsewhere only the host's own addresses answer.
//
// A Policy says where the way out leads. Names are none of it: what peers resolve, they resolve
// before.
package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wsstack/wsstack/stack"
)

// A Config describes a way out. The zero value leads everywhere that its Policy permits.
type Config struct {
	Policy Policy

	// Via is the proxy that connections go by; nil means none. Datagrams and echo
	// requests are prohibited then, for they would go round it.
	Via *Proxy

	// Inside are networks that aren't outside: what is for them the gateway leaves alone, but for
	// Policy.HostLoopback.
	Inside []netip.Prefix

	// Sessions is how many connections there may be, and how many sessions of UDP and of echo
	// requests beside them, each counted by itself; 0 means 4,096. What comes beyond that is
	// dropped.
	Sessions int

	// Log is told, once of each kind, what doesn't work as one may expect, and at level info what
	// isn't connected, at level debug what is; nil means nobody.
	Log *slog.Logger
}

const defaultSessions = 4096

// delayAck is how long an acknowledgement waits for what the host's side answers: as long as that
// of Linux at least.
const delayAck = 40 * time.Millisecond

// A Gateway is a way out that is open. It is safe for concurrent use.
type Gateway struct {
	cfg       Config
	stack     *stack.Stack
	forwarder *stack.Forwarder
	host      hostSide
	work      sync.WaitGroup // all goroutines of the gateway
	used      atomic.Int64   // connections of the host's side
	said      said
	once      sync.Once
}

// Start opens a way out of a stack, which has no Forwarder besides. It is open until Close, or
// until the stack is closed; call Close in any case.
func Start(s *stack.Stack, cfg Config) (*Gateway, error) {
	if cfg.Sessions == 0 {
		cfg.Sessions = defaultSessions
	}
	cfg.Inside = slices.Clone(cfg.Inside)
	g := &Gateway{cfg: cfg, stack: s}
	if err := g.host.open(g); err != nil {
		return nil, fmt.Errorf("open the way out: %w", err)
	}
	forwarder, err := s.NewForwarder(stack.ForwarderConfig{
		Takes: g.takes, Connect: g.told(g.connect), UDP: g.toldUDP(g.udp), Echo: g.echo, UDPSessions: cfg.Sessions,
		DelayAck: delayAck,
	})
	if err != nil {
		g.host.close()
		g.work.Wait()
		return nil, fmt.Errorf("open the way out: %w", err)
	}
	g.forwarder = forwarder
	g.work.Go(g.accept) // ends with the Forwarder
	return g, nil
}

// Close closes the way out and resets the connections that use it. When it returns, nothing of the
// gateway is left. It is idempotent.
func (g *Gateway) Close() error {
	g.once.Do(func() {
		_ = g.forwarder.Close()
		g.host.close()
		g.work.Wait()
	})
	return nil
}

// takes reports an address that is outside.
func (g *Gateway) takes(a netip.Addr) bool {
	return slices.Contains(g.cfg.Policy.HostLoopback, a) || longest(g.cfg.Inside, a) < 0
}

// accept joins what the Forwarder has accepted with what connect has returned for it.
func (g *Gateway) accept() {
	for {
		near, value, err := g.forwarder.AcceptValue()
		if err != nil {
			return // the Forwarder is closed, or the stack
		}
		g.host.join(near, value.(*far))
	}
}

// connect is the decision about a connection: it connects to where it leads.
func (g *Gateway) connect(ctx context.Context, _, destination netip.AddrPort) (any, error) {
	to, err := g.cfg.Policy.Resolve(destination.Addr())
	if err != nil {
		return nil, err
	}
	if g.used.Add(1) > int64(g.cfg.Sessions) {
		g.used.Add(-1)
		g.say("sessions", "the way out has as many connections as it may have: others are dropped", "connections", g.cfg.Sessions)
		return nil, stack.Ignored
	}
	f, err := g.out(ctx, netip.AddrPortFrom(to, destination.Port()))
	if err != nil {
		g.used.Add(-1)
		return nil, err
	}
	return f, nil
}

// out connects directly, or by the proxy. The host's loopback is no business of a proxy.
func (g *Gateway) out(ctx context.Context, to netip.AddrPort) (*far, error) {
	if g.cfg.Via == nil || to.Addr().IsLoopback() {
		return g.host.dial(ctx, to)
	}
	c, err := g.cfg.Via.dial(ctx, to)
	if err != nil {
		g.sayProxy(err)
		return nil, err
	}
	return g.host.adopt(c)
}

// resolve is Policy.Resolve for what doesn't go by a proxy.
func (g *Gateway) resolve(a netip.Addr) (netip.Addr, error) {
	to, err := g.cfg.Policy.Resolve(a)
	if err == nil && g.cfg.Via != nil && !to.IsLoopback() {
		g.say("via", "the proxy is for TCP only: UDP and ping are prohibited", "proxy", g.cfg.Via.String())
		return netip.Addr{}, errProhibited
	}
	return to, err
}

// ownAddress reports an address of the host.
func ownAddress(a netip.Addr) bool {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, one := range list {
		if n, ok := one.(*net.IPNet); ok && (n.IP.Equal(a.AsSlice()) || a.Is4() && n.IP.IsLoopback() && n.Contains(a.AsSlice())) {
			return true
		}
	}
	return false
}

// said is what was said, by kind.
type said struct {
	mu    sync.Mutex
	kinds map[string]bool
}

// say tells the log something, once of each kind.
func (g *Gateway) say(kind, text string, args ...any) {
	if g.cfg.Log == nil {
		return
	}
	g.said.mu.Lock()
	before := g.said.kinds[kind]
	if g.said.kinds == nil {
		g.said.kinds = map[string]bool{}
	}
	g.said.kinds[kind] = true
	g.said.mu.Unlock()
	if !before {
		g.cfg.Log.Warn(text, args...)
	}
}
