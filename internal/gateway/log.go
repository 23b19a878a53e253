package gateway

import (
	"context"
	"io"
	"log/slog"
	"net/netip"

	"github.com/wsstack/wsstack/stack"
)

// told is a decision about TCP connections that tells the log what it was.
func (g *Gateway) told(connect func(context.Context, netip.AddrPort, netip.AddrPort) (any, error)) func(context.Context, netip.AddrPort, netip.AddrPort) (any, error) {
	return func(ctx context.Context, source, destination netip.AddrPort) (any, error) {
		value, err := connect(ctx, source, destination)
		g.tell("tcp", source, destination, err)
		return value, err
	}
}

// toldUDP is told for sessions of UDP.
func (g *Gateway) toldUDP(open func(context.Context, *stack.UDPSession) (io.WriteCloser, error)) func(context.Context, *stack.UDPSession) (io.WriteCloser, error) {
	return func(ctx context.Context, s *stack.UDPSession) (io.WriteCloser, error) {
		c, err := open(ctx, s)
		g.tell("udp", s.Source(), s.Destination(), err)
		return c, err
	}
}

// tell tells the log of a connection, which is for level debug, or why there is none, for level
// info.
func (g *Gateway) tell(network string, source, destination netip.AddrPort, err error) {
	level, text := slog.LevelDebug, "connected"
	if err != nil {
		level, text = slog.LevelInfo, "not connected"
	}
	if g.cfg.Log == nil || !g.cfg.Log.Enabled(context.Background(), level) {
		return
	}
	args := []any{"network", network, "from", source.String(), "to", destination.String()}
	if err != nil {
		args = append(args, "error", err)
	}
	g.cfg.Log.Log(context.Background(), level, text, args...)
}
