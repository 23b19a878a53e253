package tun

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/parts"
)

// queued makes and configures a TUN with four queues.
func queued(t testing.TB) *osDevice {
	t.Helper()
	d := opener(openQueues).configured(t, "wss0", Config{Addresses: prefixes("10.9.0.2/24"), NoAddrGen: true})
	require.Len(t, d.queues, 4)
	return d
}

// As many queues as parts of a stack, and one where the kernel has no more, or packets are plain.
func TestQueues(t *testing.T) {
	single := kernelDriver
	single.features = func(fd int) (int, error) {
		flags, err := kernelDriver.features(fd)
		return flags &^ unix.IFF_MULTI_QUEUE, err
	}
	inNetNS(t, func() {
		for processors, want := range map[int]int{1: 1, 2: 1, 3: 1, 4: 2, 8: 4, 64: 8} {
			before := runtime.GOMAXPROCS(processors)
			d, err := OpenOffload("wss0")
			plain, plainErr := OpenWater("wss1")
			runtime.GOMAXPROCS(before)
			require.NoError(t, err)
			require.NoError(t, plainErr)
			require.Len(t, d.(*osDevice).queues, want, "%d processors", processors)
			require.Len(t, plain.(*osDevice).queues, 1)
			require.NoError(t, d.Close())
			require.NoError(t, plain.Close())
		}
		ports, _, err := single.open("wss0", 4)
		require.NoError(t, err)
		require.Len(t, ports, 1)
		require.NoError(t, ports[0].close())
	})
}

// fill has the kernel send datagrams of many flows to the device, each with its number.
func fill(t testing.TB, count int) {
	t.Helper()
	for i := range count {
		conn, err := net.Dial("udp", fmt.Sprintf("10.9.0.%d:7", 10+i%200))
		require.NoError(t, err)
		_, err = conn.Write([]byte(fmt.Sprintf("flow %d", i)))
		require.NoError(t, err)
		require.NoError(t, conn.Close())
	}
}

// A receiver that hasn't asked for more is called by one goroutine at a time, and gets what comes by
// all queues.
func TestQueuesOneAtATime(t *testing.T) {
	const flows = 400
	inNetNS(t, func() {
		d := queued(t)
		defer d.Close()
		fill(t, flows) // before the readers begin, so that all have something
		var inside atomic.Int32
		var got sink
		require.NoError(t, d.Start(func(packets []Packet) {
			if inside.Add(1) > 1 {
				t.Error("two goroutines are in receive")
			}
			runtime.Gosched()
			got.receive(packets)
			inside.Add(-1)
		}))
		fill(t, flows)
		for i := range flows {
			want := fmt.Sprintf("flow %d", i)
			soon(t, func() bool { return got.has(func(p []byte) bool { return string(p[min(28, len(p)):]) == want }) }, want)
		}
	})
}

// One that has asked is called by several at once, and Close waits for all of them.
func TestQueuesParallel(t *testing.T) {
	inNetNS(t, func() {
		d := queued(t)
		require.Equal(t, 4, d.EnableParallel())
		var inside atomic.Int32
		met, proceed := make(chan struct{}), make(chan struct{})
		require.NoError(t, d.Start(func(packets []Packet) {
			release(packets)
			if inside.Add(1) == 4 {
				close(met) // there are four goroutines, each here for the first time
			}
			<-proceed
			inside.Add(-1)
		}))
		fill(t, 200)
		<-met
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			if err := d.Close(); err != nil {
				t.Errorf("Close = %v", err)
			}
			if n := inside.Load(); n != 0 {
				t.Errorf("Close returned while %d goroutines were in receive", n)
			}
		}()
		soon(t, func() bool { return d.isClosed() }, "Close has begun")
		close(proceed)
		<-closed
	})
}

// syn is a SYN from a port of the other host to a port where nobody listens.
func syn(from uint16) Packet {
	b := make([]byte, header.IPv4MinimumSize+header.TCPMinimumSize)
	src, dst := tcpip.AddrFrom4([4]byte{10, 9, 0, 1}), tcpip.AddrFrom4([4]byte{10, 9, 0, 2})
	ip := header.IPv4(b)
	ip.Encode(&header.IPv4Fields{TotalLength: uint16(len(b)), TTL: 64, Protocol: uint8(header.TCPProtocolNumber), SrcAddr: src, DstAddr: dst})
	ip.SetChecksum(^ip.CalculateChecksum())
	tcp := header.TCP(ip.Payload())
	tcp.Encode(&header.TCPFields{SrcPort: from, DstPort: 9, DataOffset: header.TCPMinimumSize, Flags: header.TCPFlagSyn, WindowSize: 1000})
	tcp.SetChecksum(^tcp.CalculateChecksum(header.PseudoHeaderChecksum(header.TCPProtocolNumber, src, dst, header.TCPMinimumSize)))
	return Packet{Data: buffer.MakeWithData(b)}
}

// The answers to a connection's packets come by the queue of the connection, once the kernel has
// seen where these leave. (The very first answer is made before.)
func TestQueuesFollow(t *testing.T) {
	inNetNS(t, func() {
		d := queued(t)
		defer d.Close()
		var mu sync.Mutex
		seen := map[uint16]int{} // the queue by which the last answer came, by port
		for i, q := range d.queues {
			d.readers.Go(func() {
				d.run(q, func(packets []Packet) {
					mu.Lock()
					defer mu.Unlock()
					for j := range packets {
						if b := header.IPv4(packets[j].Data.Flatten()); b.Protocol() == uint8(header.TCPProtocolNumber) {
							seen[header.TCP(b.Payload()).DestinationPort()] = i
						}
					}
					release(packets)
				})
			})
		}
		const connections, tries = 40, 20 // a flow that the kernel forgets between two tries is tried again
		for port := range uint16(connections) {
			var got int
			p := syn(1000 + port)
			want := parts.Outgoing(&p.Data, len(d.queues))
			p.Data.Release()
			for range tries {
				mu.Lock()
				delete(seen, 1000+port)
				mu.Unlock()
				send(t, d, syn(1000+port))
				soon(t, func() bool {
					mu.Lock()
					defer mu.Unlock()
					queue, ok := seen[1000+port]
					got = queue
					return ok
				}, "an answer")
				if got == want {
					break
				}
			}
			require.Equal(t, want, got, "queue of port %d", 1000+port)
		}
	})
}

// Descriptors of several queues make one device again; those of two interfaces don't.
func TestFromFiles(t *testing.T) {
	inNetNS(t, func() {
		files, err := OpenFiles("wss0", 3, false)
		require.NoError(t, err)
		require.Len(t, files, 3)
		other, err := OpenFiles("wss1", 1, false)
		require.NoError(t, err)
		plain, err := OpenFiles("wss2", 3, true)
		require.NoError(t, err)
		require.Len(t, plain, 1)
		require.NoError(t, unix.SetNonblock(int(files[1].Fd()), false)) // somebody has
		d, err := FromFiles(files, nil)
		require.NoError(t, err)
		for _, q := range d.(*osDevice).queues {
			require.NoError(t, q.raw.Control(func(fd uintptr) {
				flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
				require.NoError(t, err)
				require.NotZero(t, flags&unix.O_NONBLOCK, "a call would stop the program")
			}))
		}
		require.Equal(t, "wss0", d.(Named).Name())
		require.Len(t, d.(*osDevice).queues, 3)
		require.NoError(t, d.Close())

		d, err = FromFiles(append(other, plain...), nil)
		require.Nil(t, d)
		require.ErrorContains(t, err, "not a queue of wss1")
		for _, f := range append(other, plain...) {
			require.ErrorIs(t, f.Close(), os.ErrClosed)
		}
		_, err = FromFiles(nil, nil)
		require.ErrorContains(t, err, "no descriptor")
	})
}
