// Package calls makes the calls of a script on a stack: system calls of Linux, and functions of
// Winsock. It knows the descriptors of the script, and compares what a call returns, and leaves in
// its arguments, with what the script says.
package calls

import (
	"net/netip"
	"sync"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/wsa"
)

// A Config is what a Machine has for "..." in the place of an address, and what it needs of the
// stack besides the Provider.
type Config struct {
	Local  netip.AddrPort // of bind
	Remote netip.AddrPort // of connect and sendto

	// Mapped says that Local and Remote are of IPv4, and that sockets whose family is "..." are of
	// IPv6 and take both.
	Mapped bool

	// Sockets lists the sockets of the stack, for SIOCOUTQ: see stack.Stack.Sockets.
	Sockets func() []endpoint.Info
}

// A Machine is a program in the hands of a script: its descriptors, and the calls on them. Do and
// the other methods may be called by several goroutines of the network at once.
type Machine struct {
	p   *provider.Provider
	cfg Config

	buffers Buffers

	mu      sync.Mutex // a leaf: no call is made under it
	files   map[int64]*file
	pending map[int64]*operation // overlapped operations, by the numbers that the script has for them
	edges   []edgeWait           // at most one for each call that waits
	last    int64                // the descriptor of the latest call; -1: there was none
	lastErr wsa.Errno            // what WSAGetLastError returns
	winsock bool                 // the script speaks Winsock: errors have its names
}

// New returns a Machine without descriptors.
func New(p *provider.Provider, cfg Config) *Machine {
	return &Machine{
		p: p, cfg: cfg, files: make(map[int64]*file), pending: make(map[int64]*operation), last: -1,
	}
}

// An Outcome is how a call has ended.
type Outcome struct {
	// Text is the call with what it has returned, in the words of a script:
	// "accept(3, ..., ...) = -1 EAGAIN".
	Text string

	// Fault is nil where the call has done what the script says.
	Fault *Fault
}

// A Fault is the first difference between a call and what the script says of it, or a mistake in
// the script.
type Fault struct {
	Pos syntax.Pos // of the call, or of the argument that isn't as expected

	// What is a line about what is wrong: "the result differs".
	What string

	// Expected and Actual stand side by side: "revents=POLLIN" and "revents=0". Both are empty for a
	// mistake.
	Expected, Actual string

	Hint string // what to write instead, or ""
}

// Last is the descriptor that the latest call was about, or has made; false: there was none.
func (m *Machine) Last() (fd int64, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last, m.last >= 0
}

// Socket is the socket behind a descriptor of the script; false: there is none, or it is closed.
func (m *Machine) Socket(fd int64) (s wsa.SOCKET, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.files[fd]
	if f == nil || f.closed || f.kind != socketFile {
		return wsa.INVALID_SOCKET, false
	}
	return f.socket, true
}

// Close closes all sockets that the script has left open, oldest first, as the end of a process
// does. It never waits. Calls that still wait end with WSAEINTR.
func (m *Machine) Close() error { return m.p.Cleanup() }

// Do makes a call, and returns when it has returned. It may wait, so it runs on a goroutine of the
// network.
func (m *Machine) Do(call *syntax.Call) Outcome {
	if f := refused(call); f != nil {
		return Outcome{Text: call.String(), Fault: f}
	}
	c := &invocation{Machine: m, call: call, function: functions[call.Name]}
	m.speaks(c)
	defer func() { m.buffers.Return(c.held) }()
	returned := c.function.run(c)
	m.relax()
	return c.outcome(returned)
}

// speaks notes which vocabulary the script has: it shows in the names of errors.
func (m *Machine) speaks(c *invocation) {
	switch c.function.vocabulary {
	case both:
		c.winsock = m.winsockSoFar(len(c.call.Error) > 3 && c.call.Error[:3] == "WSA")
	default:
		c.winsock = m.winsockSoFar(c.function.vocabulary == winsock)
	}
}

func (m *Machine) winsockSoFar(now bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.winsock = m.winsock || now
	return m.winsock
}
