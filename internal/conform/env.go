package conform

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// Delay is the one-way delay of the link between the hosts of Pair: a round
// trip is 20 ms.
const Delay = 10 * time.Millisecond

// An Env is where one scenario runs: a network in virtual time, and helpers
// that end the scenario when something isn't as it should be.
type Env struct {
	Net     *simnet.Network
	Profile options.Profile
	Family  int32 // wsa.AF_INET or AF_INET6

	// Config changes the configuration of the hosts that are made from now on.
	Config func(*stack.Config)
	spy    func(name string, cfg *stack.Config) // the same, of a test; may be nil

	// A and B are the hosts of Pair and P and Q their providers.
	A, B *simnet.Host
	P, Q *provider.Provider

	wire   *simnet.Wire // of Wire
	plainB bool         // see plainPeer

	mu       sync.Mutex
	failures []string
	notes    []string
	starts   []time.Duration // see Start; in order, each once
	cleanups []func()
}

func newEnv(c Case, seed uint64) *Env {
	e := &Env{Profile: c.Profile, Family: wsa.AF_INET}
	if c.Family == "IPv6" {
		e.Family = wsa.AF_INET6
	}
	opts := []simnet.Option{simnet.Seed(max(seed, 1))}
	if c.Offload {
		opts = append(opts, simnet.Offload())
	}
	e.Net = simnet.New((*tb)(e), opts...)
	return e
}

// tb is the Env as simnet's testing.TB.
type tb Env

func (*tb) Helper() {}

func (t *tb) Fatalf(format string, args ...any) { (*Env)(t).Fatalf(format, args...) }

func (t *tb) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

// Fatalf ends the scenario: it has failed.
func (e *Env) Fatalf(format string, args ...any) {
	e.fail(fmt.Sprintf(format, args...))
	runtime.Goexit()
}

func (e *Env) fail(text string) {
	e.mu.Lock()
	e.failures = append(e.failures, text)
	e.mu.Unlock()
}

func (e *Env) failure() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(e.failures, "\n")
}

// close ends the network. Its own failures count only when nothing else has
// failed: what a scenario left behind may be why it did.
func (e *Env) close() {
	failed := e.failure() != ""
	for i := len(e.cleanups) - 1; i >= 0; i-- {
		done := make(chan struct{})
		go func() { defer close(done); e.cleanups[i]() }()
		<-done
	}
	if failed {
		e.mu.Lock()
		e.failures = e.failures[:1]
		e.mu.Unlock()
	}
}

// Notef adds to the evidence.
func (e *Env) Notef(format string, args ...any) {
	e.mu.Lock()
	e.notes = append(e.notes, fmt.Sprintf(format, args...))
	e.mu.Unlock()
}

// Check ends the scenario unless ok.
func (e *Env) Check(ok bool, format string, args ...any) {
	if !ok {
		e.Fatalf(format, args...)
	}
}

// Equal ends the scenario unless got is want.
func Equal[T comparable](e *Env, what string, got, want T) {
	if got != want {
		e.Fatalf("%s: %v, want %v", what, got, want)
	}
}

// Code ends the scenario unless the outcome of a call is the code wanted; 0
// means success.
func (e *Env) Code(call string, err error, want wsa.Errno) {
	got := wsa.Errno(0)
	if err != nil {
		errno, ok := err.(wsa.Errno)
		e.Check(ok, "%s: %v is a %T, not a wsa.Errno", call, err, err)
		got = errno
	}
	if got != want {
		e.Fatalf("%s: %s, want %s", call, name(got), name(want))
	}
}

// name is the symbol of a code.
func name(err wsa.Errno) string {
	if err == 0 {
		return "success"
	}
	return err.Symbol()
}

// Host adds a host with addresses of the scenario's family.
func (e *Env) Host(name string, number int) *simnet.Host { return e.hostOf(e.Profile, name, number) }

func (e *Env) hostOf(profile options.Profile, name string, number int) *simnet.Host {
	cfg := stack.Config{Profile: profile, Addresses: []netip.Prefix{e.prefix(number)}}
	if e.Config != nil {
		e.Config(&cfg)
	}
	if e.spy != nil {
		e.spy(name, &cfg)
	}
	return e.Net.HostConfig(name, cfg)
}

func (e *Env) prefix(number int) netip.Prefix {
	if e.Family == wsa.AF_INET6 {
		return netip.MustParsePrefix(fmt.Sprintf("fd00::%d/64", number))
	}
	return netip.MustParsePrefix(fmt.Sprintf("10.0.0.%d/24", number))
}

// Addr is the address of the host with this number: A is 1, B is 2, the hand
// of Wire 9.
func (e *Env) Addr(number int, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(e.prefix(number).Addr(), port)
}

// Any is the wildcard with a port.
func (e *Env) Any(port uint16) netip.AddrPort {
	if e.Family == wsa.AF_INET6 {
		return netip.AddrPortFrom(netip.IPv6Unspecified(), port)
	}
	return netip.AddrPortFrom(netip.IPv4Unspecified(), port)
}

// Pair makes the hosts A and B, joined by a link, and their providers P and Q.
func (e *Env) Pair(opts ...simnet.LinkOption) *simnet.Link {
	peer := e.Profile
	if e.plainB {
		peer = options.Documented
	}
	e.A, e.B = e.Host("a", 1), e.hostOf(peer, "b", 2)
	e.P, e.Q = e.startup(e.A), e.startup(e.B)
	return e.Net.Link(e.A, e.B, append([]simnet.LinkOption{simnet.Delay(Delay)}, opts...)...)
}

// plainPeer gives B, which Pair makes later, the documented profile, which delays no acknowledgement
// and sends a SYN that is refused only once.
func (e *Env) plainPeer() { e.plainB = true }

// Wire makes the host A, its provider P, and a peer to be played by hand.
func (e *Env) Wire() *simnet.Wire {
	e.A = e.Host("a", 1)
	e.P = e.startup(e.A)
	e.wire = e.Net.Wire(e.A, "w", e.prefix(9).Addr().String())
	return e.wire
}

func (e *Env) startup(h *simnet.Host) *provider.Provider {
	p, err := provider.Startup(h.Stack, 0x0202)
	e.Code("Startup", err, 0)
	return p
}

// Do runs blocking code in virtual time, to its end. A panic of it, or of a
// goroutine of Go, comes out of the call that runs the network.
func (e *Env) Do(fn func()) { e.Net.Do("scenario", fn) }

// Go starts blocking code.
func (e *Env) Go(name string, fn func()) *simnet.Task { return e.Net.Go(name, fn) }

// paired runs fn inside Do, on the hosts of Pair.
func (e *Env) paired(fn func()) {
	e.Pair()
	e.Do(fn)
}

// connected is paired with a connection from A to B.
func (e *Env) connected(fn func(client, server handle)) {
	e.paired(func() { fn(e.connection()) })
}

// wired runs fn inside Do, on the wire of Wire.
func (e *Env) wired(fn func(w *simnet.Wire)) {
	w := e.Wire()
	e.Do(func() { fn(w) })
}

// socket makes a socket of the scenario's family.
func (e *Env) socket(p *provider.Provider, typ int32) handle { return e.open(p, e.Family, typ, 0) }

// stream and datagram make sockets on the host A.
func (e *Env) stream() handle   { return e.socket(e.P, wsa.SOCK_STREAM) }
func (e *Env) datagram() handle { return e.socket(e.P, wsa.SOCK_DGRAM) }

// peerStream and peerDatagram make sockets on the host B.
func (e *Env) peerStream() handle   { return e.socket(e.Q, wsa.SOCK_STREAM) }
func (e *Env) peerDatagram() handle { return e.socket(e.Q, wsa.SOCK_DGRAM) }

// listener makes a listening socket on the wildcard of a port.
func (e *Env) listener(p *provider.Provider, port uint16) handle {
	l := e.socket(p, wsa.SOCK_STREAM)
	l.bind(e.Any(port))
	l.listen(wsa.SOMAXCONN)
	return l
}

// connection connects a socket of A to one of B. It is called inside Do.
func (e *Env) connection() (client, server handle) {
	l := e.listener(e.Q, 80)
	client = e.stream()
	client.connect(e.Addr(2, 80))
	server = l.accept()
	l.close()
	return client, server
}

// cut is a socket of A with a connection that was idle for a second when its link was cut.
func (e *Env) cut(link *simnet.Link) handle {
	link.Heal()
	c, _ := e.connection()
	e.Net.Sleep(time.Second)
	link.Partition()
	return c
}

// took ends the scenario unless a time passed since start, to the millisecond.
func (e *Env) took(what string, start, want time.Duration) {
	Equal(e, what, (e.Net.Now() - start).Round(time.Millisecond), want)
}

// Segments returns the lines of the packets that a node has sent, in order; no name means all.
func (e *Env) Segments(from string) []simnet.Line {
	var out []simnet.Line
	for _, l := range e.Net.Trace() {
		if from == "" || l.From == from {
			out = append(out, l)
		}
	}
	return out
}

// Count is how many segments a node sent that match.
func (e *Env) Count(from string, match func(simnet.Line) bool) (n int) {
	for _, l := range e.Segments(from) {
		if match(l) {
			n++
		}
	}
	return n
}

// seconds shows a time as evidence.
func seconds(d time.Duration) string { return fmt.Sprintf("%.3f s", d.Seconds()) }
