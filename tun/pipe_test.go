package tun

import (
	"net"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/buffer"
)

func closeAll(t testing.TB, devices ...Device) {
	t.Helper()
	for _, d := range devices {
		require.NoError(t, d.Close())
	}
}

func TestPipeOrder(t *testing.T) {
	a, b := Pipe(1500)
	var atA, atB sink
	send(t, a, numbered(0, 20), numbered(1, 1500)) // before Start: kept
	require.Equal(t, 2, b.(Pender).Pending())
	require.NoError(t, a.Start(atA.receive))
	require.NoError(t, b.Start(atB.receive))
	for i := 2; i < 1000; i++ {
		send(t, a, numbered(i, 100))
		send(t, b, numbered(i, 100))
	}
	atB.requireNumbers(t, 0, 999)
	atA.requireNumbers(t, 2, 999)
	soon(t, func() bool { return a.(Pender).Pending()+b.(Pender).Pending() == 0 }, "nothing is pending")
	require.Zero(t, a.(Dropper).Drops()+b.(Dropper).Drops())
	require.Len(t, atB.data[1], 1500)
	closeAll(t, a, b)
}

func TestPipeProperties(t *testing.T) {
	a, b := Pipe(1400)
	defer closeAll(t, a, b)
	require.Equal(t, 1400, a.MTU())
	require.Equal(t, Offload{}, b.Offload())
	require.NoError(t, a.Start(func([]Packet) {}))
	require.ErrorIs(t, a.Start(func([]Packet) {}), ErrStarted)
	for _, mtu := range []int{-1, 0, 67, 65536} {
		require.PanicsWithValue(t, "tun: Pipe: mtu is "+strconv.Itoa(mtu)+", must be 68 to 65535", func() { Pipe(mtu) })
		require.Panics(t, func() { NewFunc(mtu, nil) })
	}
}

// Every packet given to Send is received, pending, or counted.
func TestPipeDrops(t *testing.T) {
	a, b := Pipe(1500)
	tooLarge := numbered(0, 1501)
	offloaded, unchecked := numbered(0, 100), numbered(0, 100)
	offloaded.GSO.Type = GSOTCPv4
	unchecked.GSO.NeedsCsum = true
	send(t, a, numbered(0, 1500), tooLarge, offloaded, numbered(1, 4), unchecked)
	require.Equal(t, uint64(3), a.(Dropper).Drops())
	for i := 2; i < QueuePackets+12; i++ {
		send(t, a, numbered(i, 4))
	}
	require.Equal(t, uint64(3+12), a.(Dropper).Drops(), "packets beyond the bound")
	require.Equal(t, QueuePackets, b.(Pender).Pending())
	require.Zero(t, b.(Dropper).Drops())
	var got sink
	require.NoError(t, b.Start(got.receive))
	got.requireNumbers(t, 0, QueuePackets-1)
	closeAll(t, a, b)

	a, b = Pipe(65535)
	large := numbered(0, 65535)
	for range QueueBytes/65535 + 5 {
		require.NoError(t, a.Send([]Packet{large}))
	}
	large.Data.Release()
	require.Equal(t, uint64(5), a.(Dropper).Drops(), "bytes beyond the bound")
	require.NoError(t, b.Close())
	require.Equal(t, uint64(QueueBytes/65535+5), a.(Dropper).Drops(), "undelivered")
	require.Zero(t, b.(Pender).Pending())
	require.NoError(t, a.Close())
}

func TestPipeClose(t *testing.T) {
	for _, order := range []string{"ab", "ba", "aabb", "bab"} {
		for _, started := range []bool{false, true} {
			t.Run(order, func(t *testing.T) {
				a, b := Pipe(1500)
				if started {
					require.NoError(t, a.Start(release))
					require.NoError(t, b.Start(release))
				}
				closed := map[rune]Device{'a': a, 'b': b}
				for _, c := range order {
					require.NoError(t, closed[c].Close())
					p := numbered(0, 4)
					require.ErrorIs(t, closed[c].Send([]Packet{p}), ErrClosed)
					require.ErrorIs(t, closed[c].Send(nil), net.ErrClosed)
					p.Data.Release()
					require.ErrorIs(t, closed[c].Start(func([]Packet) {}), ErrClosed)
				}
			})
		}
	}
	a, b := Pipe(1500)
	require.NoError(t, b.Close())
	send(t, a, numbered(0, 4))
	require.Equal(t, uint64(1), a.(Dropper).Drops(), "into nothing")
	require.NoError(t, a.Close())
}

func TestCloseJoinsReader(t *testing.T) {
	a, b := Pipe(1500)
	requireCloseWaits(t, b, func() { send(t, a, numbered(0, 4)) })
	require.NoError(t, a.Close())
	f := NewFunc(1500, nil)
	requireCloseWaits(t, f, func() { f.Inject([]byte("packet")) })
}

// After Close has returned, receive isn't called.
func TestPipeCloseConcurrent(t *testing.T) {
	for range 100 {
		a, b := Pipe(1500)
		var closed atomic.Bool
		require.NoError(t, b.Start(func(p []Packet) {
			release(p)
			if closed.Load() {
				t.Error("receive after Close")
			}
		}))
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				p := numbered(0, 100)
				defer p.Data.Release()
				for range 100 {
					_ = a.Send([]Packet{p})
					_ = b.Send([]Packet{p})
				}
			})
			wg.Go(func() {
				_ = b.Close()
				closed.Store(true)
			})
		}
		_ = b.Start(release) // races with Close: any error will do
		wg.Wait()
		closeAll(t, a, b)
	}
}

// A sender that holds a lock which the receiver needs doesn't deadlock, as it
// would if Send delivered.
func TestPipeDeliversOnItsOwnGoroutine(t *testing.T) {
	a, b := Pipe(1500)
	var mu sync.Mutex
	received := make(chan struct{})
	require.NoError(t, b.Start(func(p []Packet) {
		mu.Lock()
		defer mu.Unlock()
		release(p)
		close(received)
	}))
	mu.Lock()
	send(t, a, numbered(0, 4))
	require.Zero(t, len(received))
	mu.Unlock()
	<-received
	closeAll(t, a, b)
}

// A slow receiver holds up nobody.
func TestPipeSendDoesNotWait(t *testing.T) {
	a, b := Pipe(1500)
	block := make(chan struct{})
	require.NoError(t, b.Start(func(p []Packet) {
		<-block
		release(p)
	}))
	for i := range 2 * QueuePackets {
		send(t, a, numbered(i, 4))
	}
	require.GreaterOrEqual(t, a.(Dropper).Drops(), uint64(QueuePackets-batchSize))
	close(block)
	closeAll(t, a, b)
}

// What the sender does with its packet afterwards doesn't reach the receiver.
func TestPipeSharesData(t *testing.T) {
	a, b := Pipe(1500)
	view := buffer.NewViewWithData([]byte("abcd"))
	data := buffer.MakeWithView(view.Clone())
	require.NoError(t, a.Send([]Packet{{Data: data}}))
	_, err := view.WriteAt([]byte("X"), 0) // copies on write
	require.NoError(t, err)
	view.Release()
	data.Release()
	var got sink
	require.NoError(t, b.Start(got.receive))
	soon(t, func() bool { return got.len() == 1 }, "packet arrives")
	require.Equal(t, "abcd", string(got.data[0]))
	closeAll(t, a, b)
}

// The sender waits for the receiver here, so nothing is dropped and the figure
// is what arrives.
func BenchmarkPipe(b *testing.B) {
	for _, size := range []int{1500, 65000} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			left, right := Pipe(65535)
			if err := right.Start(release); err != nil {
				b.Fatal(err)
			}
			batch := make([]Packet, 32)
			for i := range batch {
				batch[i] = numbered(i, size)
			}
			b.SetBytes(int64(len(batch) * size))
			b.ReportAllocs()
			for b.Loop() {
				for right.(Pender).Pending() > 512 {
					runtime.Gosched()
				}
				if err := left.Send(batch); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			if drops := left.(Dropper).Drops(); drops > 0 {
				b.Fatalf("%d packets dropped", drops)
			}
			release(batch)
			closeAll(b, left, right)
		})
	}
}

// Between two ends that were asked for offload, segments go whole, by
// reference, without checksums; an end that wasn't sees what a wire carries.
func TestPipeOffload(t *testing.T) {
	for _, c := range []struct {
		name           string
		sender, taker  bool
		packets, drops int
	}{
		{"both", true, true, 1, 0},
		{"the sender only", true, false, 3, 0},
		{"the receiver only", false, true, 0, 1},
		{"neither", false, false, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := Pipe(1500)
			defer closeAll(t, a, b)
			if c.sender {
				a.(Offloader).EnableOffload()
				require.Equal(t, Offload{Checksum: true, TSO4: true, TSO6: true}, a.Offload())
			}
			if c.taker {
				b.(Offloader).EnableOffload()
			}
			var got []Packet
			var mu sync.Mutex
			require.NoError(t, b.Start(func(p []Packet) {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, p...)
			}))
			plain, bulk := numbered(1, 100), bulky{payload: 3000, mss: 1000}.packet()
			first := bulk.Data.AsViewList()
			payload := first.Front().AsSlice()
			send(t, a, plain, bulk)
			soon(t, func() bool {
				mu.Lock()
				defer mu.Unlock()
				return len(got) == 1+c.packets
			}, "they arrive")
			require.EqualValues(t, c.drops, a.(Dropper).Drops())
			require.Equal(t, 1, numberOf(&got[0]))
			if c.packets == 1 {
				require.Equal(t, bulk.GSO, got[1].GSO)
				there := got[1].Data.AsViewList()
				require.Same(t, &payload[0], &there.Front().AsSlice()[0], "the same memory")
			}
			for i := range c.packets {
				if c.packets > 1 {
					bulky{payload: 3000, mss: 1000}.checkOne(t, got[1+i].Data.Flatten(), i, i == 2)
				}
			}
			release(got)
		})
	}
}
