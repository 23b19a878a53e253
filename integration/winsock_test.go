//go:build linux

package integration

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/wsa"
)

// The Winsock face passes what the net face does: transfers, sizes of link and
// datagram, and the ways a connection ends.
func TestProvider(t *testing.T) {
	n := newNetwork(t, settings{})
	winsock := n.winsockSide(t)
	for _, r := range roles(n.kernel, winsock, false) {
		t.Run(r.name, func(t *testing.T) {
			t.Run("bulk", func(t *testing.T) { bulk(t, r) })
			t.Run("both ways", func(t *testing.T) { bulkBothWays(t, r, size(16<<20, 2<<20)) })
			t.Run("half-close", func(t *testing.T) { halfClose(t, r) })
			t.Run("close", func(t *testing.T) { closeDelivers(t, r) })
			t.Run("abortive close", func(t *testing.T) { abortiveClose(t, r) })
			t.Run("refused", func(t *testing.T) { refused(t, r) })
			t.Run("datagrams", func(t *testing.T) { datagramEcho(t, r, n.mtu) })
			soon(t, func() bool { return n.open() == 0 }, "all sockets are gone")
		})
	}
}

func TestProviderByMTU(t *testing.T) {
	for _, mtu := range []int{576, 1280, 9000} {
		t.Run(fmt.Sprint(mtu), func(t *testing.T) {
			n := newNetwork(t, settings{mtu: mtu, only4: mtu < 1280})
			for _, r := range roles(n.kernel, n.winsockSide(t), n.only4) {
				t.Run(r.name, func(t *testing.T) { bulkBothWays(t, r, size(4<<20, 512<<10)) })
			}
		})
	}
}

// winsockSide is the stack's side through package provider.
func (n *network) winsockSide(t testing.TB) *side {
	t.Helper()
	p, err := provider.Startup(n.stack, 0x0202)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Cleanup()) })
	s := stackSide(n.stack, n.wsock.addrs)
	s.name = "winsock"
	s.dial = func(_ context.Context, network, address string) (net.Conn, error) {
		to := netip.MustParseAddrPort(address)
		h, err := winsocket(p, network, to)
		if err == nil {
			if err = p.Connect(h, to); err != nil {
				p.CloseSocket(h)
			}
		}
		if err != nil {
			return nil, err
		}
		return &winsock{p, h, network}, nil
	}
	bound := func(network, address string) (*winsock, error) {
		at := netip.MustParseAddrPort(address)
		h, err := winsocket(p, network, at)
		if err == nil {
			err = p.Bind(h, at)
		}
		return &winsock{p, h, network}, err
	}
	s.listen = func(network, address string) (net.Listener, error) {
		w, err := bound(network, address)
		if err == nil {
			err = p.Listen(w.h, wsa.SOMAXCONN)
		}
		return &winsockListener{w, w.LocalAddr()}, err
	}
	s.listenPacket = func(network, address string) (net.PacketConn, error) { return bound(network, address) }
	return s
}

func winsocket(p *provider.Provider, network string, addr netip.AddrPort) (wsa.SOCKET, error) {
	family, typ := int32(wsa.AF_INET), int32(wsa.SOCK_STREAM)
	if addr.Addr().Is6() {
		family = wsa.AF_INET6
	}
	if network == "udp" {
		typ = wsa.SOCK_DGRAM
	}
	return p.Socket(family, typ, 0)
}

// A winsock is a handle with the methods that the tests use. Its errors are
// those of the calls, but for io.EOF.
type winsock struct {
	p       *provider.Provider
	h       wsa.SOCKET
	network string
}

var (
	_ stream         = (*winsock)(nil)
	_ net.PacketConn = (*winsock)(nil)
)

func (w *winsock) Read(b []byte) (int, error) {
	n, err := w.p.Recv(w.h, b, 0)
	if n == 0 && err == nil && len(b) > 0 && w.network == "tcp" {
		err = io.EOF
	}
	return n, err
}

func (w *winsock) Write(b []byte) (int, error) { return w.p.Send(w.h, b, 0) }

func (w *winsock) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := w.p.RecvFrom(w.h, b, 0)
	return n, net.UDPAddrFromAddrPort(from), err
}

func (w *winsock) WriteTo(b []byte, to net.Addr) (int, error) {
	return w.p.SendTo(w.h, b, 0, to.(*net.UDPAddr).AddrPort())
}

func (w *winsock) CloseWrite() error { return w.p.Shutdown(w.h, wsa.SD_SEND) }

func (w *winsock) Close() error { return w.p.CloseSocket(w.h) }

func (w *winsock) SetLinger(seconds int) error {
	optval := []byte{1, 0, byte(seconds), byte(seconds >> 8)}
	return w.p.SetSockOpt(w.h, wsa.SOL_SOCKET, wsa.SO_LINGER, optval, int32(len(optval)))
}

func (w *winsock) SetNoDelay(on bool) error {
	optval := []byte{0, 0, 0, 0}
	if on {
		optval[0] = 1
	}
	return w.p.SetSockOpt(w.h, wsa.IPPROTO_TCP, wsa.TCP_NODELAY, optval, int32(len(optval)))
}

func (w *winsock) LocalAddr() net.Addr  { return w.addr(w.p.GetSockName(w.h)) }
func (w *winsock) RemoteAddr() net.Addr { return w.addr(w.p.GetPeerName(w.h)) }

func (w *winsock) addr(ap netip.AddrPort, err error) net.Addr {
	switch {
	case err != nil:
		return nil
	case w.network == "udp":
		return net.UDPAddrFromAddrPort(ap)
	}
	return net.TCPAddrFromAddrPort(ap)
}

// A deadline becomes the time-out of each call from now on.
func (w *winsock) SetReadDeadline(t time.Time) error  { return w.setTimeout(wsa.SO_RCVTIMEO, t) }
func (w *winsock) SetWriteDeadline(t time.Time) error { return w.setTimeout(wsa.SO_SNDTIMEO, t) }

func (w *winsock) SetDeadline(t time.Time) error {
	if err := w.SetReadDeadline(t); err != nil {
		return err
	}
	return w.SetWriteDeadline(t)
}

func (w *winsock) setTimeout(name int32, t time.Time) error {
	var ms uint32 // 0: none
	if !t.IsZero() {
		ms = uint32(max(1, time.Until(t).Milliseconds()))
	}
	optval := []byte{byte(ms), byte(ms >> 8), byte(ms >> 16), byte(ms >> 24)}
	return w.p.SetSockOpt(w.h, wsa.SOL_SOCKET, name, optval, 4)
}

// A winsockListener keeps its address for after Close, as package net's do.
type winsockListener struct {
	*winsock
	addr net.Addr
}

func (l *winsockListener) Accept() (net.Conn, error) {
	h, _, err := l.p.Accept(l.h)
	if err != nil {
		return nil, err
	}
	return &winsock{l.p, h, l.network}, nil
}

func (l *winsockListener) Addr() net.Addr { return l.addr }
