package stack_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/wsstack/wsstack/internal/socket"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// divided makes a stack whose pump has four parts, on whatever machine.
func divided(t *testing.T, d tun.Device, addr string) *stack.Stack {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	s, err := stack.New(stack.Config{Device: d, Addresses: prefixes(addr)})
	require.NoError(t, err)
	require.Equal(t, 4, s.Parts())
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// One part for two processors, and one where the order of everything counts.
func TestParts(t *testing.T) {
	parts := func(processors int, cfg stack.Config) int {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
		s, err := stack.New(cfg)
		require.NoError(t, err)
		require.NoError(t, s.Close())
		return s.Parts()
	}
	for processors, want := range map[int]int{1: 1, 2: 1, 3: 1, 4: 2, 7: 3, 8: 4, 64: 8} {
		require.Equal(t, want, parts(processors, stack.Config{}), "%d processors", processors)
	}
	require.Equal(t, 1, parts(8, stack.Config{Stepped: true}))
	synctest.Test(t, func(t *testing.T) {
		require.Equal(t, 1, parts(8, stack.Config{}), "in a bubble")
	})
}

// Nothing overtakes within a connection: no segment comes ahead of one that was sent
// before it.
func TestPartsKeepOrder(t *testing.T) {
	const conns, writes, size = 16, 1000, 500 // all of it fits the queue of one part
	x, y := tun.Pipe(1500)
	a, b := divided(t, x, "10.0.0.1/24"), divided(t, y, "10.0.0.2/24")
	l, err := b.Listen("tcp", ":80")
	require.NoError(t, err)
	defer l.Close()
	var wg sync.WaitGroup
	for range conns {
		c, err := a.Dial("tcp", "10.0.0.2:80")
		require.NoError(t, err)
		s, err := l.Accept()
		require.NoError(t, err)
		require.NoError(t, c.(*endpoint.Conn).SetNoDelay(true)) // a segment for each write
		wg.Go(func() {
			_, err := io.Copy(s, struct{ io.Reader }{s})
			checkOrder(t, s, err)
		})
		wg.Go(func() {
			for range writes {
				_, _ = c.Write(make([]byte, size))
			}
			_ = c.(*endpoint.Conn).CloseWrite()
		})
		wg.Go(func() {
			n, err := io.Copy(io.Discard, struct{ io.Reader }{c})
			if n != writes*size {
				t.Errorf("%d bytes came back", n)
			}
			checkOrder(t, c, err)
		})
	}
	wg.Wait()
}

// checkOrder looks whether data came early, and closes the connection.
func checkOrder(t *testing.T, c net.Conn, err error) {
	t.Helper()
	var b [wsa.SizeofTCPInfoV1]byte
	if err == nil {
		_, err = c.(*endpoint.Conn).Ioctl(wsa.SIO_TCP_INFO, []byte{1, 0, 0, 0}, b[:])
	}
	info, errno := wsa.ParseTCPInfo(b[:], 1)
	if err != nil || errno != 0 || info.BytesIn == 0 || info.BytesReordered != 0 {
		t.Errorf("%v, %v; of %d bytes %d came early", err, errno, info.BytesIn, info.BytesReordered)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// The datagrams of each sender are read in the order in which they came, when Settle
// returns: all parts have delivered then.
func TestPartsSettle(t *testing.T) {
	const senders, each, rounds = 40, 25, 20
	d := tun.NewFunc(1500, nil)
	s := divided(t, d, "10.0.0.1/16")
	p, err := s.ListenPacket("udp", ":53")
	require.NoError(t, err)
	defer p.Close()
	require.NoError(t, p.(*endpoint.PacketConn).SetNonblocking(true))
	from := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 1, byte(i)}), 1000)
	}
	for range rounds {
		for i := range each {
			for j := range senders {
				d.Inject(simnet.EncodeUDP(from(j), netip.AddrPortFrom(us, 53), binary.BigEndian.AppendUint32(nil, uint32(i))))
			}
		}
		s.Settle()
		next := map[netip.Addr]uint32{}
		for range senders * each {
			var b [4]byte
			_, sender, err := p.ReadFrom(b[:])
			require.NoError(t, err)
			a := sender.(*net.UDPAddr).AddrPort().Addr().Unmap()
			require.Equal(t, next[a], binary.BigEndian.Uint32(b[:]), "of %v", a)
			next[a]++
		}
	}
}

// What packets make a socket do is done when Settle returns: the part that serves
// sockets waits for those that deliver.
func TestPartsSettleServes(t *testing.T) {
	const rounds = 300
	d := tun.NewFunc(1500, nil)
	s := divided(t, d, "10.0.0.1/16")
	var socks [16]*socket.Socket
	for i := range socks {
		sock, errno := socket.New(socket.HostOf(s), wsa.AF_INET, wsa.SOCK_DGRAM, 0, "")
		require.Zero(t, errno)
		defer sock.Close()
		require.Zero(t, sock.Bind(netip.AddrPortFrom(us, uint16(1000+i))))
		socks[i] = sock
	}
	var b [len(socks)][8]byte
	for round := range rounds {
		var ops [len(socks)]*socket.Op
		for i, sock := range socks {
			op, errno := sock.RecvAsync(b[i][:], 0)
			require.Zero(t, errno)
			ops[i] = op
			sender := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 1, byte(i)}), 1000)
			d.Inject(simnet.EncodeUDP(sender, netip.AddrPortFrom(us, uint16(1000+i)), []byte("x")))
		}
		s.Settle()
		for i, op := range ops {
			select {
			case <-op.Done():
			default:
				t.Fatalf("round %d: nobody has served socket %d", round, i)
			}
		}
	}
}

// A stack with several parts is closed in the midst of a flood: nothing leaves
// afterwards.
func TestPartsClose(t *testing.T) {
	for range 5 {
		var sent atomic.Int64
		d := tun.NewFunc(1500, func([]byte) { sent.Add(1) })
		s := divided(t, d, "10.0.0.1/16")
		stop, flooding := make(chan struct{}), make(chan struct{}, 4)
		var flood sync.WaitGroup
		for i := range 4 {
			flood.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					case flooding <- struct{}{}:
					default:
					}
					d.Inject(segment(netip.AddrFrom4([4]byte{10, 0, 1, byte(n)}), us, uint16(1024+n), 80+uint16(i), 1, 0, header.TCPFlagSyn, nil, nil))
				}
			})
		}
		for sent.Load() < 100 {
			runtime.Gosched()
		}
		require.NoError(t, s.Close())
		after := sent.Load()
		for len(flooding) < cap(flooding) {
			runtime.Gosched()
		}
		close(stop)
		flood.Wait()
		require.Equal(t, after, sent.Load())
	}
}
