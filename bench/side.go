package bench

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// A Side is one end of a link that can listen and dial: a wsstack, a plain
// netstack, or the kernel.
type Side interface {
	Listen(port uint16) (net.Listener, error)
	Dial(to netip.AddrPort) (net.Conn, error)
	Close()
}

// A PacketSide is a Side that has UDP as well.
type PacketSide interface {
	Side
	ListenPacket(port uint16) (net.PacketConn, error)
	DialPacket(to netip.AddrPort) (net.Conn, error)
}

// A Maker makes the side of a device.
type Maker func(d tun.Device, addr netip.Prefix) (Side, error)

// Wsstack makes a wsstack with its defaults: Nagle's algorithm is on.
func Wsstack(d tun.Device, addr netip.Prefix) (Side, error) { return newWsstack(d, addr, false) }

// WsstackNoDelay makes one whose connections have TCP_NODELAY set.
func WsstackNoDelay(d tun.Device, addr netip.Prefix) (Side, error) { return newWsstack(d, addr, true) }

func newWsstack(d tun.Device, addr netip.Prefix, noDelay bool) (Side, error) {
	s, err := stack.New(stack.Config{Device: d, Addresses: []netip.Prefix{addr}})
	if err != nil {
		return nil, err
	}
	return wsstackSide{s, noDelay}, nil
}

type wsstackSide struct {
	*stack.Stack
	noDelay bool
}

func (s wsstackSide) Listen(port uint16) (net.Listener, error) {
	l, err := s.Stack.Listen("tcp4", fmt.Sprintf(":%d", port))
	if err != nil || !s.noDelay {
		return l, err
	}
	return noDelayListener{l}, nil
}

func (s wsstackSide) Dial(to netip.AddrPort) (net.Conn, error) {
	c, err := s.DialContext(context.Background(), "tcp4", to.String())
	if err == nil && s.noDelay {
		err = setNoDelay(c)
	}
	return c, err
}

func (s wsstackSide) ListenPacket(port uint16) (net.PacketConn, error) {
	return s.Stack.ListenPacket("udp4", fmt.Sprintf(":%d", port))
}

func (s wsstackSide) DialPacket(to netip.AddrPort) (net.Conn, error) {
	return s.DialContext(context.Background(), "udp4", to.String())
}

func setNoDelay(c net.Conn) error { return c.(interface{ SetNoDelay(bool) error }).SetNoDelay(true) }

type noDelayListener struct{ net.Listener }

func (l noDelayListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		err = setNoDelay(c)
	}
	return c, err
}

func (s wsstackSide) Close() { s.Stack.Close() }

// kernelSide is Go's net package: the kernel of the current namespace.
type kernelSide struct {
	control func(network, address string, c syscall.RawConn) error // of net.Dialer; may be nil
}

func (k kernelSide) Listen(port uint16) (net.Listener, error) {
	c := net.ListenConfig{Control: k.control}
	return c.Listen(context.Background(), "tcp4", fmt.Sprintf(":%d", port))
}

func (k kernelSide) Dial(to netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{Control: k.control}
	return d.Dial("tcp4", to.String())
}

func (kernelSide) ListenPacket(port uint16) (net.PacketConn, error) {
	return net.ListenPacket("udp4", fmt.Sprintf(":%d", port))
}

func (kernelSide) DialPacket(to netip.AddrPort) (net.Conn, error) {
	return net.Dial("udp4", to.String())
}

func (kernelSide) Close() {}
