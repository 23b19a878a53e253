package iperf3

import (
	"context"
	"net"
	"slices"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/stack"
)

// Stack is a stack as a Network. Options are set on each of its sockets whose kind has them.
type Stack struct {
	Stack   *stack.Stack
	Options []options.Assignment
}

var _ Network = Stack{}

// DialContext connects from the stack.
func (s Stack) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return (&stack.Dialer{Stack: s.Stack, Options: s.of(network)}).DialContext(ctx, network, address)
}

// Listen listens on the stack.
func (s Stack) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	return (&stack.ListenConfig{Stack: s.Stack, Options: s.of(network)}).Listen(ctx, network, address)
}

// ListenPacket opens a datagram socket on the stack.
func (s Stack) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	return (&stack.ListenConfig{Stack: s.Stack, Options: s.of(network)}).ListenPacket(ctx, network, address)
}

// of returns the options that sockets of a network have.
func (s Stack) of(network string) []options.Assignment {
	kind := "stream"
	if network == "udp" {
		kind = "datagram"
	}
	return slices.DeleteFunc(slices.Clone(s.Options), func(a options.Assignment) bool {
		return !slices.ContainsFunc(options.Table(), func(o options.Info) bool {
			return o.Symbol == a.String() && slices.Contains(o.Kinds, kind)
		})
	})
}

// Retransmissions are how many segments of a connection were sent again.
func (s Stack) Retransmissions(c net.Conn) (int64, bool) {
	local, remote := c.LocalAddr().String(), c.RemoteAddr().String()
	for _, i := range s.Stack.Sockets() {
		if i.TCP != nil && i.Local.String() == local && i.Remote.String() == remote {
			return int64(i.TCP.Resent), true
		}
	}
	return 0, false
}
