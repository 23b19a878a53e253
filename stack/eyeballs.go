package stack

import (
	"cmp"
	"context"
	"net/netip"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/wait"
	"github.com/wsstack/wsstack/wsa"
)

// attemptDelay is how long an attempt to connect is alone before the next one
// starts beside it: the Connection Attempt Delay of RFC 8305 §5.
const attemptDelay = 250 * time.Millisecond

// maxAttempts bounds the attempts of one dial: the name server decides how many
// addresses there are.
const maxAttempts = 32

// An opener makes a socket that is to connect to an address.
type opener func(to netip.AddrPort) (*socket.Socket, error)

// A race is a dial to several addresses, of which the first that answers wins:
// "Happy Eyeballs", RFC 8305 §5. An attempt starts when the one before it has
// failed, or a delay after it. All is done on the goroutine of the caller,
// with one Waiter and one timer.
type race struct {
	host    socket.Host
	waiter  wait.Waiter
	open    opener
	delay   time.Duration    // how long an attempt is alone; negative: until it has failed
	left    []netip.AddrPort // not tried yet
	running []*racer
	begun   int64        // attempts so far
	late    atomic.Int64 // the attempt whose delay has passed
	hurry   bool         // an attempt has failed since the last one began
	timer   tcpip.Timer  // of late; nil before the first attempt
	firstAt netip.AddrPort
	first   error // why the first attempt failed
}

// A racer is one attempt.
type racer struct {
	sock *socket.Socket
	to   netip.AddrPort
	call wait.Call
}

// dial connects a new socket to the first of several addresses that answers, in the order that
// RFC 8305 §4 has: that of addrs, with the families by turns, 32 at most. Each attempt is alone
// for a time: delay, attemptDelay if that is 0, until it has failed if that is negative. open
// makes the socket for an address.
//
// The error of a dial that fails is that of the first attempt, whose address is at; when ctx ends
// first, it is the context's.
func dial(ctx context.Context, h socket.Host, addrs []netip.AddrPort, delay time.Duration, open opener) (_ *socket.Socket, at netip.AddrPort, _ error) {
	if len(addrs) == 1 {
		sock, err := dialOne(ctx, addrs[0], open)
		return sock, addrs[0], err
	}
	r := &race{host: h, open: open, left: interleave(addrs), waiter: wait.NewWaiter(h), delay: cmp.Or(delay, attemptDelay)}
	return r.dial(ctx)
}

// dialOne connects a new socket to an address.
func dialOne(ctx context.Context, addr netip.AddrPort, open opener) (*socket.Socket, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sock, err := open(addr)
	if err != nil {
		return nil, err
	}
	errno := sock.ConnectUntil(ctx, addr, nil)
	if errno == 0 {
		return sock, nil
	}
	sock.Close()
	if errno == wait.ErrCanceled {
		return nil, ctx.Err()
	}
	return nil, errno
}

// dial returns the socket that is connected, or an error and the address that it is about.
func (r *race) dial(ctx context.Context) (*socket.Socket, netip.AddrPort, error) {
	first := r.left[0]
	if ctx.Done() != nil {
		defer wait.AfterDone(ctx, r.waiter.Signal)()
	}
	winner := r.run(ctx)
	r.disarm()
	for _, a := range r.running {
		r.end(a)
	}
	switch {
	case winner != nil:
		return winner, first, nil
	case ctx.Err() != nil:
		return nil, first, ctx.Err()
	}
	return nil, r.firstAt, r.first
}

// run returns the socket that is connected, nil when none will be.
func (r *race) run(ctx context.Context) *socket.Socket {
	for ctx.Err() == nil {
		if winner := r.decided(); winner != nil {
			return winner
		}
		switch {
		case len(r.left) > 0 && r.due():
			if winner := r.start(); winner != nil {
				return winner
			}
		case len(r.running) == 0:
			return nil
		default:
			r.waiter.Wait("connect")
		}
	}
	return nil
}

// decided takes the attempts out that are decided, and returns one that is
// connected. A failure makes the next attempt due.
func (r *race) decided() *socket.Socket {
	for i := 0; i < len(r.running); {
		a := r.running[i]
		err, decided := a.sock.ConnectOutcome()
		if !decided {
			i++
			continue
		}
		r.running = append(r.running[:i], r.running[i+1:]...)
		if err == 0 {
			a.sock.Calls().Remove(&a.call)
			return a.sock
		}
		r.end(a)
		r.failed(a.to, err)
	}
	return nil
}

// start begins the next attempt, and returns its socket if that is connected at
// once, as one of datagrams is.
func (r *race) start() *socket.Socket {
	a := &racer{to: r.left[0]}
	r.left = r.left[1:]
	r.begun, r.hurry = r.begun+1, false
	var err error
	if a.sock, err = r.open(a.to); err != nil {
		r.failed(a.to, err)
		return nil
	}
	switch err, _ := a.sock.StartConnect(a.to); err {
	case 0:
		return a.sock
	case wsa.WSAEWOULDBLOCK:
	default:
		a.sock.Close()
		r.failed(a.to, err)
		return nil
	}
	a.call.Init(r.waiter, waiter.WritableEvents|waiter.EventErr|waiter.EventHUp)
	a.sock.Calls().Add(&a.call)
	r.running = append(r.running, a)
	if len(r.left) > 0 && r.delay > 0 {
		r.arm()
	}
	return nil
}

// arm starts the timer that makes the attempt after the present one due. Of
// several that fire late only the newest counts.
func (r *race) arm() {
	r.disarm()
	present := r.begun
	r.timer = r.host.Clock().AfterFunc(r.delay, func() {
		for {
			late := r.late.Load()
			if late >= present || r.late.CompareAndSwap(late, present) {
				break
			}
		}
		r.waiter.Signal()
	})
}

func (r *race) disarm() {
	if r.timer != nil {
		r.timer.Stop()
	}
}

// due reports that the next attempt needn't wait any longer.
func (r *race) due() bool {
	return len(r.running) == 0 || r.hurry || r.late.Load() == r.begun
}

func (r *race) failed(to netip.AddrPort, err error) {
	r.hurry = true
	if r.first == nil {
		r.first, r.firstAt = err, to
	}
}

// end takes an attempt out that has lost or failed. A SYN is not followed by
// anything.
func (r *race) end(a *racer) {
	a.sock.Calls().Remove(&a.call)
	a.sock.Close()
}

// interleave puts the families of a list by turns, that of the first address
// first, and keeps the order within each.
func interleave(addrs []netip.AddrPort) []netip.AddrPort {
	var byFamily [2][]netip.AddrPort
	for _, a := range addrs {
		i := 0
		if a.Addr().Is4() != addrs[0].Addr().Is4() {
			i = 1
		}
		byFamily[i] = append(byFamily[i], a)
	}
	out := make([]netip.AddrPort, 0, min(len(addrs), maxAttempts))
	for i := 0; len(out) < cap(out); i ^= 1 {
		if len(byFamily[i]) > 0 {
			out = append(out, byFamily[i][0])
			byFamily[i] = byFamily[i][1:]
		}
	}
	return out
}
