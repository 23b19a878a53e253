package testbed

import (
	"net/netip"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// A RunningHost is a host of a network that runs. Its methods are safe for concurrent use.
type RunningHost struct {
	testbed   *Testbed
	host      *Host
	stack     *stack.Stack // nil: not a stack
	addresses []netip.Prefix
}

// Name is the name of the host.
func (h *RunningHost) Name() string { return h.host.Name }

// Kind is the kind of the host.
func (h *RunningHost) Kind() Kind { return h.host.Kind }

// Stack is the stack of the host; nil: it is a namespace or the system.
func (h *RunningHost) Stack() *stack.Stack { return h.stack }

// Addresses are the addresses of the host on its links, in their order, each with the prefix that
// is on link.
func (h *RunningHost) Addresses() []netip.Prefix { return h.addresses }

// Testbed is the network that the host is part of.
func (h *RunningHost) Testbed() *Testbed { return h.testbed }

// A RunningLink is a link of a network that runs.
type RunningLink struct {
	link     *Link
	captured *tun.Captured
	impaired *tun.Impaired
}

// Name is the name of the link.
func (l *RunningLink) Name() string { return l.link.Name }

// Hosts are the names of the hosts at the two ends.
func (l *RunningLink) Hosts() [2]string { return [2]string{l.link.Ends[0].Host, l.link.Ends[1].Host} }

// MTU is the size of the largest packet in bytes.
func (l *RunningLink) MTU() int { return l.link.MTU }

// Impaired is the device that impairs the link: Out is what the first end sends, and In what the
// second one sends.
func (l *RunningLink) Impaired() *tun.Impaired { return l.impaired }

// Captured is the device that records the packets of the link; nil: nothing does.
func (l *RunningLink) Captured() *tun.Captured { return l.captured }
