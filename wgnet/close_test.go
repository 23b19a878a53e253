package wgnet_test

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wsstack/wsstack/wgnet"
	"github.com/wsstack/wsstack/wsa"
)

// Whoever closes a host first, calls in progress end, later ones fail, and no goroutine stays.
func TestCloseEndsCalls(t *testing.T) {
	for name, end := range map[string]func(h *host) error{
		"engine": func(h *host) error { h.tunnel.Close(); return nil },
		"stack":  func(h *host) error { return h.Stack().Close() },
		"device": func(h *host) error { return h.tun.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			a, b := pair(t)
			l, err := b.ListenTCP(&net.TCPAddr{Port: 80})
			require.NoError(t, err)
			idle, err := a.ListenTCP(nil)
			require.NoError(t, err)
			packets, err := a.ListenUDP(nil)
			require.NoError(t, err)
			ping, err := a.ListenPingAddr(a4)
			require.NoError(t, err)
			c, err := a.Dial("tcp", "10.0.0.2:80")
			require.NoError(t, err)
			full, err := a.Dial("tcp", "[fd00::2]:80") // b accepts neither
			require.NoError(t, err)

			buf := make([]byte, 1000)
			calls := map[string]func() error{
				"Accept":    func() error { _, err := idle.Accept(); return err },
				"Read":      func() error { _, err := c.Read(buf[:1]); return err },
				"Write":     func() error { _, err := io.Copy(full, zeros{}); return err },
				"ReadFrom":  func() error { _, _, err := packets.ReadFrom(buf[1:2]); return err },
				"ping":      func() error { _, err := ping.Read(buf[2:3]); return err },
				"handshake": func() error { _, err := a.DialTCPAddrPort(netip.MustParseAddrPort("10.0.0.9:80")); return err },
			}
			var wg sync.WaitGroup
			for name, call := range calls {
				wg.Go(func() {
					if err := call(); !errors.Is(err, wsa.WSAENETDOWN) {
						t.Errorf("%s ends with %v", name, err)
					}
				})
			}
			require.NoError(t, end(a))
			wg.Wait()

			for name, call := range map[string]func() error{
				"Read":       calls["Read"],
				"Accept":     calls["Accept"],
				"ping":       calls["ping"],
				"Dial":       func() error { _, err := a.Dial("tcp", "10.0.0.2:80"); return err },
				"Dial ping":  func() error { _, err := a.Dial("ping", "10.0.0.2"); return err },
				"ListenPing": func() error { _, err := a.ListenPingAddr(netip.IPv4Unspecified()); return err },
				"ListenTCP":  func() error { _, err := a.ListenTCP(nil); return err },
				"ListenUDP":  func() error { _, err := a.ListenUDP(nil); return err },
			} {
				require.ErrorIs(t, call(), wsa.WSAENETDOWN, name)
			}
			require.NoError(t, ping.Close())
			require.NoError(t, l.Close())
			_, err = a.tun.Read([][]byte{buf}, make([]int, 1), 0)
			require.ErrorIs(t, err, os.ErrClosed)
			require.NoError(t, a.tun.Close())
			a.tunnel.Close()
			b.tunnel.Close()
			goleak.VerifyNone(t, before)
		})
	}
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// Both ends go while data is on its way in both directions and handshakes are in progress, again
// and again.
func TestCloseUnderLoad(t *testing.T) {
	for range 5 {
		a, b := pair(t)
		l, err := b.ListenTCP(&net.TCPAddr{Port: 80})
		require.NoError(t, err)
		var wg sync.WaitGroup
		both := func(c net.Conn) {
			wg.Go(func() { io.Copy(c, zeros{}) })
			wg.Go(func() { io.Copy(io.Discard, c) })
		}
		wg.Go(func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				both(c)
			}
		})
		for range 3 {
			c, err := a.Dial("tcp", "10.0.0.2:80")
			require.NoError(t, err)
			both(c)
			wg.Go(func() {
				for {
					c, err := a.Dial("tcp", "[fd00::2]:80")
					if err != nil {
						return
					}
					c.Close()
				}
			})
		}
		wg.Go(a.tunnel.Close)
		wg.Go(b.tunnel.Close)
		wg.Wait()
	}
}

// A host that never had an engine is closed all the same, with packets that nobody has read.
func TestCloseWithoutEngine(t *testing.T) {
	before := goleak.IgnoreCurrent()
	d, n, err := wgnet.CreateNetTUN([]netip.Addr{a4}, nil, mtu)
	require.NoError(t, err)
	c, err := n.DialUDPAddrPort(netip.AddrPort{}, netip.AddrPortFrom(b4, 53))
	require.NoError(t, err)
	for range 100 {
		_, err = c.Write(make([]byte, 1000))
		require.NoError(t, err)
	}
	require.NoError(t, d.Close())
	require.NoError(t, d.Close())
	goleak.VerifyNone(t, before)
}
