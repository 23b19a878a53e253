//go:build linux

package integration

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/wsa"
)

// The largest UDP payloads: 65535 less the headers that count. The kernel
// permits them, too.
const (
	maxDatagram4 = 65507
	maxDatagram6 = 65527
)

// pattern is a payload in which no two places are alike for long.
func pattern(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i ^ i>>8*7)
	}
	return b
}

// serveDatagramEcho sends every datagram back until the socket is closed.
func serveDatagramEcho(t testing.TB, pc net.PacketConn) {
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 1<<16)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			if _, err := pc.WriteTo(buf[:n], from); err != nil {
				t.Errorf("answer %d bytes to %v: %v", n, from, err)
			}
		}
	})
	t.Cleanup(func() {
		pc.Close()
		wg.Wait()
	})
}

// echoDatagram sends one datagram and wants it back, whole.
func echoDatagram(t testing.TB, c net.Conn, payload []byte) {
	t.Helper()
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	n, err := c.Write(payload)
	require.NoErrorf(t, err, "send %d bytes", len(payload))
	require.Equal(t, len(payload), n)
	got := make([]byte, 1<<16)
	n, err = c.Read(got)
	require.NoErrorf(t, err, "the answer to %d bytes", len(payload))
	require.Equal(t, len(payload), n)
	require.True(t, bytes.Equal(payload, got[:n]), "the answer to %d bytes is not what was sent", n)
}

// Datagrams of every size make the round trip: empty ones, those that just fit
// into a packet, and those that both sides cut into fragments and put together.
func TestDatagramEcho(t *testing.T) {
	for _, mtu := range []int{1500, 1280, 9000} {
		n := newNetwork(t, settings{mtu: mtu})
		n.eachRole(t, func(t *testing.T, r role) { datagramEcho(t, r, mtu) })
	}
}

func datagramEcho(t *testing.T, r role, mtu int) {
	pc, err := r.server.listenPacket("udp", r.at(0))
	require.NoError(t, err)
	serveDatagramEcho(t, pc)
	c, err := r.client.dial(t.Context(), "udp", pc.LocalAddr().String())
	require.NoError(t, err)
	defer c.Close()
	limit, header := maxDatagram4, 28
	if r.v6 {
		limit, header = maxDatagram6, 48
	}
	for _, size := range []int{0, 1, 512, 1472, 1473, mtu - header, mtu - header + 1, 9000, 32768, limit} {
		echoDatagram(t, c, pattern(size))
	}
	_, err = c.Write(make([]byte, limit+1))
	require.ErrorIs(t, err, r.client.tooLong)
	echoDatagram(t, c, []byte("still works"))
}

// A socket that listens without an address takes both IP versions, and answers
// from the address that was asked.
func TestDatagramDualStack(t *testing.T) {
	n := newNetwork(t, settings{})
	pc, err := n.stack.ListenPacket("udp", ":0")
	require.NoError(t, err)
	serveDatagramEcho(t, pc)
	port := uint16(pc.LocalAddr().(*net.UDPAddr).Port)
	for _, v6 := range []bool{false, true} {
		c, err := net.Dial("udp", netip.AddrPortFrom(n.wsock.addr(v6), port).String())
		require.NoError(t, err)
		defer c.Close()
		for _, size := range []int{0, 100, 5000} {
			echoDatagram(t, c, pattern(size))
		}
	}
	for network, v6 := range map[string]bool{"udp4": false, "udp6": true} {
		single, err := n.stack.ListenPacket(network, ":0")
		require.NoError(t, err)
		serveDatagramEcho(t, single)
		port := single.LocalAddr().(*net.UDPAddr).Port
		c, err := net.Dial("udp", netip.AddrPortFrom(n.wsock.addr(v6), uint16(port)).String())
		require.NoError(t, err)
		defer c.Close()
		echoDatagram(t, c, pattern(100))
		other, err := net.Dial("udp", netip.AddrPortFrom(n.wsock.addr(!v6), uint16(port)).String())
		require.NoError(t, err)
		defer other.Close()
		_, err = other.Write(pattern(100))
		require.NoError(t, err)
		require.NoError(t, other.SetReadDeadline(time.Now().Add(patience)))
		_, err = other.Read(make([]byte, 10))
		require.ErrorIsf(t, err, syscall.ECONNREFUSED, "%s takes the other version", network)
	}
}

// The port unreachable that a datagram to a closed port draws is the error of
// the next receive: WSAECONNRESET at the stack (NB-3), once SIO_UDP_CONNRESET is
// on, ECONNREFUSED at the kernel.
func TestDatagramToClosedPort(t *testing.T) {
	n := newNetwork(t, settings{})
	n.eachRole(t, func(t *testing.T, r role) {
		c, err := r.client.dial(t.Context(), "udp", r.at(9))
		require.NoError(t, err)
		defer c.Close()
		if p, ok := c.(*endpoint.PacketConn); ok {
			_, err := p.Ioctl(wsa.SIO_UDP_CONNRESET, []byte{1, 0, 0, 0}, nil)
			require.NoError(t, err)
		}
		require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
		_, err = c.Write([]byte("anybody there?"))
		require.NoError(t, err)
		_, err = c.Read(make([]byte, 10))
		require.ErrorIs(t, err, r.client.unreachablePort)
		_, err = c.Write([]byte("and now?")) // the error was the receive's
		require.NoError(t, err)
	})
}

// Many datagrams from many senders to one socket: each comes back to whom it
// belongs, although the fragments of several are on their way at any time. A
// few may be lost, because fragments have random IDs of 16 bits (RFC 6864 §4.3).
func TestDatagramManySenders(t *testing.T) {
	const senders, each, mayBeLost = 20, 20, 4
	n := newNetwork(t, settings{})
	n.eachRole(t, func(t *testing.T, r role) {
		pc, err := r.server.listenPacket("udp", r.at(0))
		require.NoError(t, err)
		serveDatagramEcho(t, pc)
		var lost atomic.Int32
		var wg sync.WaitGroup
		for sender := range senders {
			wg.Go(func() {
				c, err := r.client.dial(t.Context(), "udp", pc.LocalAddr().String())
				if err != nil {
					t.Errorf("dial: %v", err)
					return
				}
				defer c.Close()
				for i := range each {
					n, err := echoAgain(c, sender, i)
					if err != nil {
						t.Errorf("sender %d, datagram %d: %v", sender, i, err)
						return
					}
					lost.Add(int32(n))
				}
			})
		}
		wg.Wait()
		require.LessOrEqual(t, lost.Load(), int32(mayBeLost), "datagrams lost")
	})
}

// echoAgain sends copies of a datagram until one is echoed, and returns how many
// were lost. On a busy machine a copy may be late, which isn't lost: datagrams
// don't overtake each other, so those before the one that came back were. The
// echo of an earlier datagram is what a late copy makes; anything else that
// nobody sent is an error.
func echoAgain(c net.Conn, sender, i int) (lost int, err error) {
	const times = 300
	got := make([]byte, 1<<16)
	for again := range int(patience / time.Second) {
		if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
			return 0, err
		}
		if _, err := c.Write(bytes.Repeat(fmt.Appendf(nil, "%d %d %d ", again, i, sender), times)); err != nil {
			return 0, err
		}
		for {
			n, err := c.Read(got)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return 0, err
			}
			part := got[:n/times]
			var copied, index, from int
			_, err = fmt.Sscan(string(part), &copied, &index, &from)
			if err != nil || from != sender || index > i || !bytes.Equal(got[:n], bytes.Repeat(part, times)) {
				return 0, fmt.Errorf("got %.20q…", got[:n])
			}
			if index == i {
				return copied, nil
			}
		}
	}
	return 0, os.ErrDeadlineExceeded
}
