package peers

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"syscall"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/mistake"
	"github.com/wsstack/wsstack/stack"
)

// parsePublish reads "[ADDRESS:]PORT[/udp]=[ADDRESS:]PORT". Without an address the first port is
// that of 127.0.0.1, which nobody else on a network reaches.
//
// The system has accepted a connection before the stack can ask whether anybody listens: where
// nobody does, the connection is reset.
func parsePublish(text string) (Service, error) {
	at, target, err := splitText(text, "PORT=PORT, such as 8080=80")
	if err != nil {
		return Service{}, err
	}
	p, err := parsePlace(at, true)
	if err != nil {
		return Service{}, err
	}
	if !p.address.IsValid() {
		p.address = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	to, err := parsePlace(strings.TrimSuffix(target, "/"+p.network), false)
	if err != nil {
		return Service{}, err
	}
	s := Service{system: []place{p}, target: &to, start: func(r *running) error { return r.publish(p, to) }}
	if p.network == "udp" {
		s.start = func(r *running) error { return r.publishDatagrams(p, to) }
	}
	return s, nil
}

// destination is where a published port leads.
func (r *running) destination(to place) (netip.AddrPort, error) {
	if !to.address.IsValid() {
		to.address = r.env.Peer
	}
	if !to.address.IsValid() {
		return netip.AddrPort{}, mistake.Errorf("write the address before the port, such as 8080=10.77.0.2:80", "there is no one host that the port could be of")
	}
	return netip.AddrPortFrom(to.address, to.port), nil
}

func (r *running) publish(p, to place) error {
	target, err := r.destination(to)
	if err != nil {
		return err
	}
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(p.address, p.port)))
	if err != nil {
		return publishError(err, p)
	}
	if !r.keep(l) {
		return net.ErrClosed
	}
	r.accept(l, maxConns, func(c net.Conn) {
		ctx, cancel := context.WithTimeout(r.ctx, dialTimeout)
		in, err := r.stack.DialTCP(ctx, "tcp", netip.AddrPort{}, target)
		cancel()
		if err != nil {
			r.log("connect", err)
			abort(c)
			return
		}
		if r.keep(in) {
			defer r.done(in)
			splice(c.(*net.TCPConn), in)
		}
	})
	return nil
}

var _ stream = (*endpoint.Conn)(nil)

func (r *running) publishDatagrams(p, to place) error {
	target, err := r.destination(to)
	if err != nil {
		return err
	}
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(p.address, p.port)))
	if err != nil {
		return publishError(err, p)
	}
	if !r.keep(c) {
		return net.ErrClosed
	}
	r.relay(c, func() (net.Conn, error) {
		return (&stack.Dialer{Stack: r.stack, Timeout: dialTimeout}).DialUDP(r.ctx, "udp", netip.AddrPort{}, target)
	})
	return nil
}

// publishError says why a port of this system can't be had, and what would help.
func publishError(err error, p place) error {
	m := &hinted{err: err}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		m.hint = "another program has the port; take another one"
	case errors.Is(err, fs.ErrPermission) && runtime.GOOS == "linux":
		m.hint = "ports below 1024 are root's on this system; take another one, such as 8080"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		m.hint = "this system has no address " + p.address.String() + "; 0.0.0.0 means all"
	}
	return m
}

// A hinted error has a hint.
type hinted struct {
	err  error
	hint string
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }

// Hint says what would help.
func (h *hinted) Hint() string { return h.hint }
