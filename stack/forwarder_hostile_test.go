package stack_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// fragmentOf is the part of a packet from an offset on, in bytes behind the IP header.
func fragmentOf(whole []byte, at, size int, id uint16) []byte {
	end := min(at+size, len(whole)-ipSize(whole))
	more := end < len(whole)-ipSize(whole)
	return fragmentWith(whole, at, whole[ipSize(whole)+at:ipSize(whole)+end], more, id)
}

func ipSize(b []byte) int {
	if b[0]>>4 == 6 {
		return 40
	}
	return 20
}

// fragmentWith is a fragment with any data.
func fragmentWith(whole []byte, at int, data []byte, more bool, id uint16) []byte {
	h, bit := slices.Clone(whole[:ipSize(whole)]), uint16(0)
	if len(h) == 40 {
		h = append(h, h[6], 0, 0, 0, 0, 0, byte(id>>8), byte(id))
		h[6] = 44
		if more {
			bit = 1
		}
		binary.BigEndian.PutUint16(h[42:], uint16(at)|bit)
		binary.BigEndian.PutUint16(h[4:], uint16(8+len(data)))
		return append(h, data...)
	}
	if more {
		bit = 0x2000
	}
	binary.BigEndian.PutUint16(h[2:], uint16(20+len(data)))
	binary.BigEndian.PutUint16(h[4:], id)
	binary.BigEndian.PutUint16(h[6:], uint16(at/8)|bit)
	h[10], h[11] = 0, 0
	sum := uint32(0)
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(h[i:]))
	}
	sum = sum>>16 + sum&0xffff
	binary.BigEndian.PutUint16(h[10:], ^uint16(sum>>16+sum))
	return append(h, data...)
}

// Fragments in any order, with copies, make their datagram; with one that overlaps they make
// nothing, and never anything else.
func TestReassembly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ends := flows[rapid.SampledFrom([]string{"IPv4", "IPv6"}).Draw(t, "version")]
		payload := rapid.SliceOfN(rapid.Byte(), 1, 500).Draw(t, "payload")
		whole := simnet.EncodeUDP(netip.MustParseAddrPort(ends[0]), netip.MustParseAddrPort(ends[1]), payload)
		datagram := whole[ipSize(whole):]
		var pieces [][]byte
		var cuts []int
		for at := 0; at < len(datagram); {
			size := 8 * rapid.IntRange(1, 8).Draw(t, "size")
			pieces = append(pieces, fragmentOf(whole, at, size, 5))
			cuts = append(cuts, at)
			at += size
		}
		if len(pieces) == 1 {
			return
		}
		if rapid.Bool().Draw(t, "copies") {
			pieces = append(pieces, rapid.SliceOfN(rapid.SampledFrom(pieces), 1, 3).Draw(t, "again")...)
		}
		pieces = rapid.Permutation(pieces).Draw(t, "order")
		var r stack.Reassembly
		spoil := rapid.Bool().Draw(t, "spoil")
		spoilAt := rapid.IntRange(0, len(pieces)-1).Draw(t, "when")
		done := 0
		for i, p := range pieces {
			if got := r.Add(0, p); got != nil {
				require.Equal(t, datagram, got)
				done++
			}
			if spoil && i == spoilAt && done == 0 {
				at := rapid.SampledFrom(cuts).Draw(t, "where")
				r.Add(0, fragmentWith(whole, at, make([]byte, 8*rapid.IntRange(9, 20).Draw(t, "long")), true, 5))
			}
		}
		if !spoil {
			require.GreaterOrEqual(t, done, 1)
		}
		if n, bytes := r.Held(); n == 0 {
			require.Zero(t, bytes)
		}
	})
}

// What waits for fragments that never come is bounded: by number, by bytes, by pieces and by time.
func TestReassembly_Bounds(t *testing.T) {
	whole := simnet.EncodeUDP(netip.MustParseAddrPort("10.1.0.9:1"), netip.MustParseAddrPort("8.8.8.8:9"), make([]byte, 65000))
	var r stack.Reassembly
	for i := range 10000 {
		r.Add(0, fragmentOf(whole, 0, 8, uint16(i)))
	}
	n, bytes := r.Held()
	require.Equal(t, [2]int{64, 64 * 8}, [2]int{n, bytes})
	for i := range 100 {
		for at := 0; at < 60000; at += 30000 {
			r.Add(0, fragmentOf(whole, at, 30000, uint16(i)))
		}
		_, bytes = r.Held()
		require.LessOrEqual(t, bytes, 1<<20)
	}
	r = stack.Reassembly{}
	for at := 0; at < 8*200; at += 8 {
		r.Add(0, fragmentOf(whole, at, 8, 1))
		_, bytes = r.Held()
		require.LessOrEqual(t, bytes, 8*128)
	}
	r = stack.Reassembly{}
	r.Add(0, fragmentOf(whole, 0, 8, 1))
	r.Add(29*time.Second, fragmentOf(whole, 0, 8, 2))
	r.Add(30*time.Second, fragmentOf(whole, 0, 8, 3))
	n, _ = r.Held()
	require.Equal(t, 2, n)
	for _, bad := range [][]byte{
		fragmentWith(whole, 65528, make([]byte, 16), true, 9), fragmentWith(whole, 8, make([]byte, 7), true, 9), fragmentWith(whole, 8, nil, false, 9),
	} {
		r.Add(30*time.Second, bad)
		m, _ := r.Held()
		require.Equal(t, n, m)
	}
	// An overlap doesn't stand in for a hole.
	for _, order := range [][]int{{0, 8}, {8, 0}} {
		r = stack.Reassembly{}
		for _, at := range order {
			require.Nil(t, r.Add(0, fragmentWith(whole, at, make([]byte, 16-at), true, 1)))
		}
		require.Nil(t, r.Add(0, fragmentWith(whole, 24, make([]byte, 8), false, 1)))
	}
	// Where the end is, two fragments agree.
	r = stack.Reassembly{}
	r.Add(0, fragmentWith(whole, 16, make([]byte, 8), false, 1))
	r.Add(0, fragmentWith(whole, 24, make([]byte, 8), true, 1))
	n, bytes = r.Held()
	require.Equal(t, [2]int{0, 0}, [2]int{n, bytes})
}

// A hostileGateway has a function for everything, each of which does little.
func hostileGateway(t testing.TB) (*simnet.Network, *simnet.Host, *simnet.Wire, *stack.Forwarder) {
	n := simnet.New(t)
	router := n.HostConfig("router", stack.Config{Addresses: prefixes("10.1.0.1/16", "fd01::1/32")})
	near := n.Wire(router, "near", "10.1.0.9", "fd01::9")
	f, err := router.NewForwarder(stack.ForwarderConfig{
		InFlight: 8, UDPSessions: 8,
		Connect: func(_ context.Context, _, to netip.AddrPort) (any, error) {
			if to.Port()%2 == 1 {
				return nil, stack.Refused
			}
			return &value{}, nil
		},
		UDP: func(_ context.Context, s *stack.UDPSession) (io.WriteCloser, error) {
			if s.Destination().Port() == 1 {
				return nil, stack.Prohibited
			}
			return &upstream{session: s, write: func(b []byte) error { _, err := s.Write(b); return err }}, nil
		},
		Echo: func(_ context.Context, r *stack.EchoRequest) {
			if r.Sequence%2 == 0 {
				r.Reply()
			} else {
				r.Refuse(stack.HostUnreachable)
			}
		},
		Go: func(run func()) { n.Background("forwarder", run) },
	})
	require.NoError(t, err)
	n.Background("accept", func() {
		for {
			c, v, err := f.AcceptValue()
			if err != nil {
				return
			}
			v.(*value).Close()
			c.Close()
		}
	})
	return n, router, near, f
}

// Whatever the packets of a device are, a Forwarder stands them, keeps its bounds, and works
// afterwards.
func FuzzForwarder(f *testing.F) {
	for _, ends := range flows {
		from, to := netip.MustParseAddrPort(ends[0]), netip.MustParseAddrPort(ends[1])
		whole := simnet.EncodeUDP(from, to, []byte("some payload that is cut"))
		f.Add(whole, []byte{})
		f.Add(fragmentOf(whole, 0, 16, 1), fragmentOf(whole, 16, 99, 1))
		f.Add(syn(ends[0], ends[1], 7), segmentOf(ends[0], ends[1], 8, 0x10))
		f.Add(syn(ends[0], ends[1], 7), segmentOf(ends[0], ends[1], 7, 0x04))
		f.Add(echoRequest(from.Addr().String(), to.Addr().String(), 0, "x"), whole)
	}
	f.Add(six(90, 60, 44, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 1, 0, 0, 0, 5, 0, 9, 0, 9, 0, 8), []byte{0x60})
	f.Fuzz(func(t *testing.T, one, two []byte) {
		n, router, near, fw := hostileGateway(t)
		for _, b := range [][]byte{one, two, one, right(one), right(two)} {
			near.Inject(b)
			require.NoError(t, n.Advance(time.Millisecond))
		}
		require.NoError(t, n.Advance(time.Minute))
		near.Discard()
		for range 2 {
			near.Inject(simnet.EncodeUDP(netip.MustParseAddrPort("10.1.0.9:77"), netip.MustParseAddrPort("8.8.8.8:78"), []byte("still")))
			p, err := near.Receive(time.Second)
			require.NoError(t, err)
			_, _, payload := datagramOf(t, p.Data)
			require.Equal(t, "still", payload)
		}
		require.NoError(t, fw.Close())
		require.LessOrEqual(t, len(router.Sockets()), 2)
	})
}

// right mends the checksums of a packet, as far as it is one.
func right(b []byte) []byte {
	if len(b) < 20 || b[0]>>4 != 4 && (b[0]>>4 != 6 || len(b) < 40) {
		return b
	}
	if b = slices.Clone(b); b[0]>>4 == 6 {
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
		return again(b)
	}
	b[0] = 0x45
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	m := again(b)
	copy(m[:10], b[:10])
	return fragmentWith(m, int(binary.BigEndian.Uint16(b[6:])&0x1fff)*8, m[20:], b[6]&0x20 != 0, binary.BigEndian.Uint16(b[4:]))
}

// A flood of everything from spoofed sources leaves a gateway with what its bounds say.
func TestForwarderHostile_Flood(t *testing.T) {
	n, router, near, fw := hostileGateway(t)
	for i := range 3000 {
		from, to := fmt.Sprintf("30.0.%d.%d", i>>8, i&255), fmt.Sprintf("20.0.%d.%d", i>>8, i&255)
		near.Inject(tcpPacket(from+":1000", to+":80", 0x02))
		whole := simnet.EncodeUDP(netip.MustParseAddrPort(from+":7"), netip.MustParseAddrPort(to+":9"), make([]byte, 100))
		near.Inject(whole)
		near.Inject(fragmentOf(whole, 8, 16, uint16(i)))
		near.Inject(echoRequest(from, to, 0, "x"))
		if i%100 == 0 {
			require.NoError(t, n.Advance(0))
		}
	}
	require.NoError(t, n.Advance(time.Minute))
	require.Empty(t, router.Sockets())
	require.LessOrEqual(t, len(router.Netstack().AllAddresses()[2]), 4+3000/100*8)
	require.NoError(t, fw.Close())
}

// Everything at once, on real time and real goroutines, with the end in the middle of it: for the
// race detector and goleak.
func TestForwarderHostile_Race(t *testing.T) {
	for range 3 {
		da, db := tun.Pipe(1500)
		client, err := stack.New(stack.Config{Device: da, Addresses: prefixes("10.1.0.9/16")})
		require.NoError(t, err)
		gw, err := stack.New(stack.Config{Device: db, Addresses: prefixes("10.1.0.1/16")})
		require.NoError(t, err)
		f, err := gw.NewForwarder(stack.ForwarderConfig{
			Connect: func(_ context.Context, _, to netip.AddrPort) (any, error) { return &value{}, nil },
			UDP: func(_ context.Context, s *stack.UDPSession) (io.WriteCloser, error) {
				return writer(func(b []byte) (int, error) { return s.Write(b) }), nil
			},
			Echo: func(_ context.Context, r *stack.EchoRequest) { r.Reply() },
		})
		require.NoError(t, err)
		accepted := make(chan struct{})
		go func() {
			defer close(accepted)
			for {
				c, _, err := f.AcceptValue()
				if err != nil {
					return
				}
				c.Close()
			}
		}()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		for i := range 6 {
			go func() {
				defer func() { done <- struct{}{} }()
				for j := range 30 {
					switch i % 3 {
					case 0:
						if c, err := client.DialContext(ctx, "tcp", fmt.Sprintf("20.0.0.%d:80", j)); err == nil {
							c.Close()
						}
					case 1:
						if c, err := client.DialContext(ctx, "udp", fmt.Sprintf("20.0.0.%d:%d", j%3, 80+i)); err == nil {
							c.Write([]byte("x"))
							c.Close()
						}
					case 2:
						if j < 5 {
							client.Ping(ctx, netip.AddrFrom4([4]byte{20, 0, 0, byte(j)}))
						}
					}
				}
			}()
		}
		for range 3 {
			<-done
		}
		require.NoError(t, f.Close())
		cancel()
		for range 3 {
			<-done
		}
		<-accepted
		require.NoError(t, gw.Close())
		require.NoError(t, client.Close())
	}
}

// A writer is a function as an io.WriteCloser.
type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }
func (writer) Close() error                  { return nil }
