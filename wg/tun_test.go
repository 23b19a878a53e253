package wg

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	wgtun "golang.zx2c4.com/wireguard/tun"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/tun"
)

// segments is a packet as a stack sends it: a TCP segment of so many bytes, to be cut into smaller
// ones of mss bytes. The metadata begins to be looked at where payload is larger than mss.
func segments(payload, mss int) tun.Packet {
	const head = header.IPv4MinimumSize + header.TCPMinimumSize
	tcp := make([]byte, header.TCPMinimumSize+payload)
	header.TCP(tcp).Encode(&header.TCPFields{
		SrcPort: 1, DstPort: 2, SeqNum: 1000, DataOffset: header.TCPMinimumSize, Flags: header.TCPFlagAck, WindowSize: 100,
	})
	for i := range payload {
		tcp[header.TCPMinimumSize+i] = byte(i >> 4)
	}
	b := inet.Header{
		Source: netip.MustParseAddr("10.0.0.1"), Dest: netip.MustParseAddr("10.0.0.2"), Protocol: uint8(header.TCPProtocolNumber), TTL: 64,
	}.Encode(tcp)
	p := tun.Packet{GSO: tun.GSO{NeedsCsum: true, CsumStart: header.IPv4MinimumSize, CsumOffset: header.TCPChecksumOffset}}
	if payload > mss {
		p.GSO.Type, p.GSO.MSS, p.GSO.HdrLen = tun.GSOTCPv4, uint16(mss), head
	}
	ip := header.IPv4(b)
	sum := header.PseudoHeaderChecksum(header.TCPProtocolNumber, ip.SourceAddress(), ip.DestinationAddress(), uint16(len(tcp)))
	binary.BigEndian.PutUint16(b[header.IPv4MinimumSize+header.TCPChecksumOffset:], sum)
	p.Data = buffer.MakeWithData(b)
	return p
}

// plain is a packet that nobody does anything with.
func plain(b []byte) tun.Packet { return tun.Packet{Data: buffer.MakeWithData(b)} }

// wire is what a wire would carry of a packet.
func wire(p tun.Packet) (list [][]byte) {
	tun.Segments(&p, func(q tun.Packet) {
		list = append(list, q.Data.Flatten())
		q.Data.Release()
	})
	p.Data.Release()
	return list
}

// send sends packets as a stack does.
func send(t testing.TB, d tun.Device, packets ...tun.Packet) {
	t.Helper()
	require.NoError(t, d.Send(packets))
	for i := range packets {
		packets[i].Data.Release()
	}
}

// offset is where the engine has its packets.
const offset = 16

// read is a Read of up to n packets.
func read(t testing.TB, d wgtun.Device, n int) (list [][]byte) {
	t.Helper()
	bufs, sizes := make([][]byte, n), make([]int, n)
	for i := range bufs {
		bufs[i] = make([]byte, 1<<16-1)
	}
	n, err := d.Read(bufs, sizes, offset)
	require.NoError(t, err)
	for i := range n {
		require.Equal(t, make([]byte, offset), bufs[i][:offset])
		list = append(list, bufs[i][offset:][:sizes[i]])
	}
	return list
}

// write is a Write.
func write(t testing.TB, d wgtun.Device, packets ...[]byte) {
	t.Helper()
	var bufs [][]byte
	for _, b := range packets {
		bufs = append(bufs, append(make([]byte, offset), b...))
	}
	n, err := d.Write(bufs, offset)
	require.NoError(t, err)
	require.Equal(t, len(packets), n)
}

// received is what a stack got.
type received struct {
	mu      sync.Mutex
	packets []tun.Packet // whose data is gone
	data    [][]byte
}

func (r *received) receive(packets []tun.Packet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range packets {
		r.data = append(r.data, packets[i].Data.Flatten())
		packets[i].Data.Release()
		r.packets = append(r.packets, packets[i])
	}
}

// What the stack sends in one piece, the engine reads in segments, as many at a time as it likes.
func TestTUN_Out(t *testing.T) {
	tunnel := NewTUN(1420)
	defer tunnel.Stack().Close()
	want := wire(segments(10_000, 1380))
	want = append(want, wire(segments(1380, 1380))...)
	want = append(want, []byte("plain"))
	for _, batch := range []int{1, 3, 128} {
		send(t, tunnel.Stack(), segments(10_000, 1380), segments(1380, 1380), plain([]byte("plain")))
		var got [][]byte
		for len(got) < len(want) {
			got = append(got, read(t, tunnel.Tunnel(), batch)...)
		}
		require.Equal(t, want, got)
	}
	require.Zero(t, tunnel.Stack().(tun.Dropper).Drops())
}

// What the engine writes in segments, the stack gets in one piece.
func TestTUN_In(t *testing.T) {
	tunnel := NewTUN(1420)
	defer tunnel.Tunnel().Close()
	list := wire(segments(10_000, 1380))
	write(t, tunnel.Tunnel(), list...)
	require.EqualValues(t, 1, tunnel.Stack().(tun.Dropper).Drops(), "nobody receives yet")

	var got received
	require.NoError(t, tunnel.Stack().Start(got.receive))
	require.ErrorIs(t, tunnel.Stack().Start(got.receive), tun.ErrStarted)
	write(t, tunnel.Tunnel(), append([][]byte{[]byte("plain")}, list...)...)
	require.Len(t, got.packets, 2)
	want := segments(10_000, 1380)
	require.Equal(t, [][]byte{[]byte("plain"), want.Data.Flatten()}, got.data)
	require.Equal(t, want.GSO, got.packets[1].GSO)
	require.True(t, tunnel.Stack().Offload().TSO4 && tunnel.Stack().Offload().Checksum)
	want.Data.Release()
}

// Whatever the engine writes, the stack gets it; it is the stack that knows IP.
func TestTUN_Hostile(t *testing.T) {
	tunnel := NewTUN(1420)
	defer tunnel.Tunnel().Close()
	var got received
	require.NoError(t, tunnel.Stack().Start(got.receive))
	list := wire(segments(2760, 1380))
	list = [][]byte{
		list[0], // before something else
		{}, {0x45}, {0x60}, make([]byte, 39), make([]byte, 65_519), bytes.Repeat([]byte{0x45}, 60), bytes.Repeat([]byte{0x66}, 100),
		list[0][:20], list[0][:39], list[0][:100], append(bytes.Clone(list[0]), 0),
	}
	write(t, tunnel.Tunnel(), list...)
	want := append(list[:1:1], list[2:]...)
	require.Equal(t, want, got.data)
	for _, p := range got.packets {
		require.Zero(t, p.GSO)
	}
}

// Packets that no tunnel of this MTU carries are counted and go no further.
func TestTUN_Drops(t *testing.T) {
	tunnel := NewTUN(1000)
	defer tunnel.Stack().Close()
	misfit := segments(2000, 100)
	misfit.GSO.Type = tun.GSOTCPv6
	send(t, tunnel.Stack(), plain(make([]byte, 1001)), segments(2000, 961), misfit, plain(nil), plain(make([]byte, 1000)))
	require.Len(t, read(t, tunnel.Tunnel(), 10), 1)
	require.EqualValues(t, 4, tunnel.Stack().(tun.Dropper).Drops())
}

// The queue towards the engine is bounded.
func TestTUN_Bound(t *testing.T) {
	tunnel := NewTUN(1000)
	defer tunnel.Stack().Close()
	p := plain([]byte("x"))
	defer p.Data.Release()
	for range tun.QueuePackets + 10 {
		require.NoError(t, tunnel.Stack().Send([]tun.Packet{p}))
	}
	require.EqualValues(t, 10, tunnel.Stack().(tun.Dropper).Drops())
}

// The Bind's look at what is sent comes before the engine's, and its answer goes to the stack.
func TestTUN_Look(t *testing.T) {
	tunnel := newTUN(1420)
	defer tunnel.Stack().Close()
	var got received
	require.NoError(t, tunnel.Stack().Start(got.receive))
	var seen [][]byte
	tunnel.look = func(packet []byte, size int) []byte {
		require.Len(t, packet, size)
		seen = append(seen, bytes.Clone(packet))
		if size > 1400 {
			return []byte("too big")
		}
		return nil
	}
	send(t, tunnel.Stack(), segments(10_000, 1380), segments(10_000, 1000))
	want := wire(segments(10_000, 1000))
	require.Equal(t, want, read(t, tunnel.Tunnel(), 128))
	require.Equal(t, [][]byte{wire(segments(10_000, 1380))[0], want[0]}, seen)
	require.Equal(t, [][]byte{[]byte("too big")}, got.data)
}

// The engine goes up at once, and it hears of no other event.
func TestTUN_Events(t *testing.T) {
	tunnel := NewTUN(1420).Tunnel()
	require.Equal(t, wgtun.Event(wgtun.EventUp), <-tunnel.Events())
	require.NoError(t, tunnel.Close())
	_, ok := <-tunnel.Events()
	require.False(t, ok)
	mtu, err := tunnel.MTU()
	require.NoError(t, err)
	require.Equal(t, 1420, mtu)
	require.Panics(t, func() { NewTUN(67) })
	require.Panics(t, func() { NewTUN(MaxMTU + 1) })
}

// Each face closes both, at any time and more than once, while the others wait.
func TestTUN_Close(t *testing.T) {
	for name, closeBoth := range map[string]func(t *testing.T, u *TUN){
		"stack":  func(t *testing.T, u *TUN) { require.NoError(t, u.Stack().Close()) },
		"engine": func(t *testing.T, u *TUN) { require.NoError(t, u.Tunnel().Close()) },
		"both at once": func(t *testing.T, u *TUN) {
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() { _ = u.Stack().Close() })
				wg.Go(func() { _ = u.Tunnel().Close() })
			}
			wg.Wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := NewTUN(1420)
			require.NoError(t, u.Stack().Start(new(received).receive))
			send(t, u.Stack(), segments(10_000, 1380))
			read(t, u.Tunnel(), 1) // the rest of the packet is in the cutter
			ended := make(chan error)
			go func() {
				bufs, sizes := [][]byte{make([]byte, 1<<16-1)}, make([]int, 1)
				for {
					if _, err := u.Tunnel().Read(bufs, sizes, offset); err != nil {
						ended <- err
						return
					}
				}
			}()
			closeBoth(t, u)
			closeBoth(t, u)
			require.ErrorIs(t, <-ended, os.ErrClosed)
			p := plain([]byte("late"))
			defer p.Data.Release()
			require.ErrorIs(t, u.Stack().Send([]tun.Packet{p}), tun.ErrClosed)
			require.ErrorIs(t, u.Stack().Start(nil), tun.ErrClosed)
			_, err := u.Tunnel().Write([][]byte{make([]byte, 100)}, offset)
			require.ErrorIs(t, err, os.ErrClosed)
			for range u.Tunnel().Events() {
			}
		})
	}
}

// Packets of the largest size and of the smallest one arrive: UDP has datagrams for them.
func TestTUN_MTU(t *testing.T) {
	for _, mtu := range []int{inet.MinMTU4, MaxMTU} {
		client, server := tunnel(t, mtu)
		data := make([]byte, 4*mtu)
		for i := range data {
			data[i] = byte(i >> 3)
		}
		go client.Write(data)
		got := make([]byte, len(data))
		_, err := io.ReadFull(server, got)
		require.NoError(t, err)
		require.Equal(t, data, got)
	}
}

// Close returns when nothing is received anymore.
func TestTUN_CloseWaits(t *testing.T) {
	u := NewTUN(1420)
	receiving, proceed, written, closed := make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{})
	require.NoError(t, u.Stack().Start(func(p []tun.Packet) {
		close(receiving)
		<-proceed
		p[0].Data.Release()
	}))
	go func() {
		defer close(written)
		_, _ = u.Tunnel().Write([][]byte{make([]byte, 100)}, offset)
	}()
	<-receiving
	go func() {
		defer close(closed)
		_ = u.Stack().Close()
	}()
	select {
	case <-closed:
		t.Error("Close returned while receive was running")
	case <-time.After(20 * time.Millisecond):
	}
	close(proceed)
	<-closed
	<-written
}

// All of it at once, for the race detector.
func TestTUN_Concurrent(t *testing.T) {
	for range 20 {
		u := NewTUN(1420)
		require.NoError(t, u.Stack().Start(new(received).receive))
		list := wire(segments(10_000, 1380))
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				p := segments(10_000, 1380)
				defer p.Data.Release()
				for u.Stack().Send([]tun.Packet{p}) == nil {
				}
			})
			wg.Go(func() {
				bufs, sizes := make([][]byte, 4), make([]int, 4)
				for i := range bufs {
					bufs[i] = make([]byte, 1<<16-1)
				}
				for {
					if _, err := u.Tunnel().Read(bufs, sizes, offset); err != nil {
						return
					}
				}
			})
			wg.Go(func() {
				for {
					if _, err := u.Tunnel().Write(list, 0); err != nil {
						return
					}
				}
			})
		}
		wg.Go(func() {
			time.Sleep(time.Millisecond)
			_ = u.Stack().Close()
		})
		wg.Go(func() {
			time.Sleep(time.Millisecond)
			_ = u.Tunnel().Close()
		})
		wg.Wait()
	}
}

// The bound for what is inside of the engine holds Read back, until a packet has left.
func TestTUN_Flight(t *testing.T) {
	u := newTUN(1420)
	defer u.Stack().Close()
	u.out = newFlight(1, outbound)
	stuck := make([]byte, 1<<16) // on the heap, as those of the engine
	u.out.inside[bufferID(stuck)] = 1
	u.out.order.Push(boarding{bufferID(stuck), 1, time.Now().Add(time.Hour)}) // not to be forgotten
	send(t, u.Stack(), segments(4*1380, 1380))
	bufs, sizes, ended := make([][]byte, 3), make([]int, 3), make(chan error)
	for i := range bufs {
		bufs[i] = make([]byte, 2000)
	}
	go func() {
		_, err := u.Tunnel().Read(bufs, sizes, offset)
		ended <- err
	}()
	select {
	case <-ended:
		t.Error("Read returned while the engine was full")
	case <-time.After(20 * time.Millisecond):
	}
	u.out.leave([][]byte{stuck})
	require.NoError(t, <-ended)
	require.Len(t, u.out.inside, len(bufs))

	u.in = newFlight(1, inbound)
	u.in.enter(bufs)
	_, err := u.Tunnel().Write(bufs, offset)
	require.NoError(t, err)
	require.Empty(t, u.in.inside)
}

// An engine in which packets are stuck gets one at a time, and one whose Bind nobody knows not
// many.
func TestTUN_SmallBatches(t *testing.T) {
	u := newTUN(1420)
	defer u.Stack().Close()
	send(t, u.Stack(), segments(50_000, 1380))
	require.Len(t, read(t, u.Tunnel(), 128), smallBatch)
	u.out = newFlight(1, patience{})
	for range len(u.out.gaveUp) {
		u.out.enter(engineBuffers(1))
	}
	u.out.times = forEver
	u.out.enter(engineBuffers(2)) // there is no room, but it isn't waited for
	require.Len(t, read(t, u.Tunnel(), 128), 1)
	u.out = newFlight(100, outbound)
	require.Len(t, read(t, u.Tunnel(), 128), 37-smallBatch-1)
}

// Neither way allocates more than the packets, which come from pools.
func TestTUN_Allocations(t *testing.T) {
	if raceEnabled {
		t.Skip("pools drop at random under the race detector")
	}
	u := NewTUN(1420)
	defer u.Stack().Close()
	require.NoError(t, u.Stack().Start(func(p []tun.Packet) {
		for i := range p {
			p[i].Data.Release()
		}
	}))
	out := []tun.Packet{segments(60_000, 1380)}
	defer out[0].Data.Release()
	bufs, sizes := make([][]byte, 128), make([]int, 128)
	for i := range bufs {
		bufs[i] = make([]byte, 1500)
	}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_ = u.Stack().Send(out)
		_, _ = u.Tunnel().Read(bufs, sizes, offset)
	}))
	list := wire(segments(60_000, 1380))
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = u.Tunnel().Write(list, 0) }))
}
