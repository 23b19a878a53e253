package testbed

import (
	"net/netip"
	"sync"

	"github.com/wsstack/wsstack/internal/namespace"
	"github.com/wsstack/wsstack/stack"
)

// A RunningHost is a host of a network that runs. Its methods are safe for concurrent use.
type RunningHost struct {
	testbed   *Testbed
	host      *Host
	addresses []netip.Prefix

	stack *stack.Stack         // nil: not a stack
	space *namespace.Namespace // nil: not a namespace

	ready  chan struct{} // closed when Until holds
	once   sync.Once     // of the close
	ended  chan struct{} // closed when the command has ended, with status
	status int
}

// Name is the name of the host.
func (h *RunningHost) Name() string { return h.host.Name }

// Kind is the kind of the host.
func (h *RunningHost) Kind() Kind { return h.host.Kind }

// Stack is the stack of the host; nil: it is a namespace or the system.
func (h *RunningHost) Stack() *stack.Stack { return h.stack }

// Namespace is the namespace of the host; nil: it is none.
func (h *RunningHost) Namespace() *namespace.Namespace { return h.space }

// Addresses are the addresses of the host on its links, in their order, each with the prefix that
// is on link.
func (h *RunningHost) Addresses() []netip.Prefix { return h.addresses }

// becomeReady says that the host is ready.
func (h *RunningHost) becomeReady() { h.once.Do(func() { close(h.ready) }) }

// Testbed is the network that the host is part of.
func (h *RunningHost) Testbed() *Testbed { return h.testbed }
