package peers

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// A running is a service that runs: its sockets, goroutines and processes. Close ends them all.
type running struct {
	stack *stack.Stack
	env   Env
	name  string
	ctx   context.Context // done when the service ends
	stop  context.CancelFunc
	wg    sync.WaitGroup

	mu     sync.Mutex // a leaf; it guards the fields below
	open   map[io.Closer]struct{}
	held   []net.Conn // connections that nobody serves, the oldest first
	closed bool
}

func newRunning(st *stack.Stack, env Env, name string) *running {
	r := &running{stack: st, env: env, name: name, open: map[io.Closer]struct{}{}}
	r.ctx, r.stop = context.WithCancel(context.Background())
	return r
}

// Close ends the service and waits for everything that it has started.
func (r *running) Close() error {
	r.stop()
	r.mu.Lock()
	r.closed = true
	var all []io.Closer
	for c := range r.open {
		all = append(all, c)
	}
	r.open = nil
	for _, c := range r.held {
		all = append(all, c)
	}
	r.held = nil
	r.mu.Unlock()
	for _, c := range all {
		_ = c.Close() // what can fail is that it is closed already
	}
	r.wg.Wait()
	return nil
}

// keep has Close close c, and reports false where Close was called: c is closed then.
func (r *running) keep(c io.Closer) bool {
	r.mu.Lock()
	closed := r.closed
	if !closed {
		r.open[c] = struct{}{}
	}
	r.mu.Unlock()
	if closed {
		_ = c.Close()
	}
	return !closed
}

// done closes what keep has kept.
func (r *running) done(c io.Closer) {
	r.mu.Lock()
	delete(r.open, c)
	r.mu.Unlock()
	_ = c.Close()
}

// hold keeps a connection that nobody serves open until the service ends, or until maxConns later
// ones have come.
func (r *running) hold(c net.Conn) {
	r.mu.Lock()
	closed := r.closed
	var old net.Conn
	if !closed {
		if r.held = append(r.held, c); len(r.held) > maxConns {
			old, r.held = r.held[0], r.held[1:]
		}
	}
	r.mu.Unlock()
	if closed {
		_ = c.Close()
	}
	if old != nil {
		abort(old)
	}
}

// abort closes a connection with a RST.
func abort(c net.Conn) {
	if l, ok := c.(interface{ SetLinger(int) error }); ok {
		_ = l.SetLinger(0) // fails if the connection is over
	}
	_ = c.Close()
}

// log notes what has gone wrong, such as that nobody is there to connect to, unless the service has
// ended.
func (r *running) log(what string, err error) {
	if r.ctx.Err() == nil {
		r.env.Logger.Info(what+" failed", "service", r.name, "error", err)
	}
}

// pause waits, and reports false where the service has ended.
func (r *running) pause(d time.Duration) bool {
	if d <= 0 {
		return r.ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-r.ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// goesOn reports whether a server goes on after an error of its socket. It waits a little, so that
// an error that lasts doesn't make a busy loop.
func (r *running) goesOn(err error) bool {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, wsa.WSAENETDOWN) {
		return false
	}
	r.log("accept", err)
	return r.pause(5 * time.Millisecond)
}

// listen opens a listener of the stack.
func (r *running) listen(p place, lc stack.ListenConfig) (*endpoint.Listener, error) {
	lc.Stack = r.stack
	l, err := lc.ListenTCP("tcp", netip.AddrPortFrom(p.address, p.port))
	if err != nil {
		return nil, err
	}
	if !r.keep(l) {
		return nil, net.ErrClosed
	}
	return l, nil
}

// An accepter is a listener of the stack, or of this system.
type accepter interface {
	Accept() (net.Conn, error)
}

// accept runs handle for each connection of a listener, for at most so many at a time, and closes
// the connection after it.
func (r *running) accept(l accepter, most int, handle func(net.Conn)) {
	places := make(chan struct{}, most)
	r.wg.Go(func() { // ends with the listener
		for {
			places <- struct{}{}
			c, err := l.Accept()
			if err != nil {
				<-places
				if !r.goesOn(err) {
					return
				}
				continue
			}
			r.serve(c, handle, func() { <-places })
		}
	})
}

// handshakePatience is longer than a handshake may take.
const handshakePatience = 30 * time.Second

// acceptIf is accept for a listener with SO_CONDITIONAL_ACCEPT: ask is called for a SYN that nobody
// has answered yet, and decides with what handle gets, or refuses. What ask has returned is closed
// where the handshake isn't completed within handshakePatience.
func acceptIf[T io.Closer](r *running, l *endpoint.Listener, ask func(ctx context.Context) (T, error), handle func(net.Conn, T)) {
	places := make(chan struct{}, maxConns)
	for range maxAsking {
		r.wg.Go(func() { // ends with the listener
			for {
				places <- struct{}{}
				var got offer[T]
				c, err := l.AcceptIf(func(_, _ netip.AddrPort) bool {
					t, err := ask(r.ctx)
					if err != nil {
						r.log("connect", err)
						return false
					}
					got.replace(t)
					return true
				})
				if err != nil {
					got.withdraw()
				}
				t, ok := got.take()
				switch {
				case err == nil && ok:
					r.serve(c, func(c net.Conn) { handle(c, t) }, func() { <-places })
					continue
				case err == nil:
					abort(c) // after more than handshakePatience
				case !r.goesOn(err):
					return
				}
				<-places
			}
		})
	}
}

// An offer is what waits for the end of a handshake. It is closed when that doesn't come.
type offer[T io.Closer] struct {
	mu    sync.Mutex
	timer *time.Timer // nil: there is nothing
	value T
}

// replace closes what was offered before, for a SYN that has vanished.
func (o *offer[T]) replace(t T) {
	o.withdraw()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.value, o.timer = t, time.AfterFunc(handshakePatience, o.withdraw)
}

func (o *offer[T]) withdraw() {
	if t, ok := o.take(); ok {
		if c, ok := any(t).(net.Conn); ok {
			abort(c)
			return
		}
		_ = t.Close()
	}
}

// take takes what is offered, if that is there still.
func (o *offer[T]) take() (t T, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.timer == nil {
		return t, false
	}
	o.timer.Stop()
	o.timer = nil
	return o.value, true
}

// serve runs handle for a connection on a goroutine of its own.
func (r *running) serve(c net.Conn, handle func(net.Conn), after func()) {
	r.wg.Go(func() { // ends with the connection
		defer after()
		if !r.keep(c) {
			return
		}
		defer r.done(c)
		if r.env.Logger.Enabled(r.ctx, slog.LevelDebug) {
			r.env.Logger.Debug("connection", "service", r.name, "from", c.RemoteAddr().String())
		}
		handle(c)
	})
}

// conditional has SYNs wait for a decision.
var conditional = []options.Assignment{options.SO_CONDITIONAL_ACCEPT.With(true)}

// impatient is a connection with the time-out idleTimeout for each read and each write.
type impatient struct{ net.Conn }

func (c impatient) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(idleTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

func (c impatient) Write(b []byte) (int, error) { return impatientWriter(c).Write(b) }

// impatientWriter is a connection with the time-out idleTimeout for each write.
type impatientWriter struct{ net.Conn }

func (c impatientWriter) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(idleTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}
