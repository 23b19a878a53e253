package wg

import (
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
)

// Bind returns inner, which carries packets of a tunnel, with a bound for what is between t and
// inner: at most 128 packets in each direction, or 64 for each of more than two processors, and a
// batch more, are inside of the engine. Above it packets wait in the queue of the stack and in the
// socket of inner, where each takes little more than its size; inside of the engine each takes
// 64 KiB. For each peer that doesn't answer the engine keeps up to 128 more. Bind is called before
// the Tunnel of t is given to an engine.
func (t *TUN) Bind(inner conn.Bind) conn.Bind {
	return newBind(t, inner)
}

func newBind(t *TUN, inner conn.Bind) *bind {
	t.in, t.out = newFlight(maxInside(), inbound), newFlight(maxInside(), outbound)
	return &bind{Bind: inner, in: t.in, out: t.out, watch: make(chan struct{}, 1)}
}

// A bind is a Bind that tells the flights of a TUN what comes and goes.
type bind struct {
	conn.Bind
	in, out *flight

	crossings crossings

	probe  probe
	watch  chan struct{} // has one element when somebody should look at the paths
	heeded atomic.Int64  // when somebody was told to, in ns of the wall clock

	mu     sync.Mutex
	closed chan struct{} // of those functions that Open has returned; nil: none
}

// Open opens the inner Bind.
func (b *bind) Open(port uint16) ([]conn.ReceiveFunc, uint16, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	receivers, port, err := b.Bind.Open(port)
	if err != nil {
		return nil, 0, err
	}
	b.closed = make(chan struct{})
	b.probe.open()
	for i, inner := range receivers {
		receivers[i] = b.receiver(inner, b.closed)
	}
	return receivers, port, nil
}

// receiver makes a function that receives packets when there is room for them, and at any time
// while the engine drops many: whoever has seen a packet of a session can have it drop what they
// send, and would keep others waiting. It fails only when the Bind is closed, as the engine gives
// up for ever when its function fails several times, and datagrams of a sender on the same machine
// can make it (128 segments at once).
func (b *bind) receiver(inner conn.ReceiveFunc, closed <-chan struct{}) conn.ReceiveFunc {
	data := make([][]byte, 0, b.BatchSize()) // the buffers of a batch that have data
	used := 0                                // how many buffers the last batch has had
	failed := 0                              // how many times receiving has failed in a row
	var waiting []late                       // what has come and comes next
	return func(packets [][]byte, sizes []int, from []conn.Endpoint) (int, error) {
		b.in.leave(packets[:used]) // where the engine took a packet, there is another buffer now
		if !b.in.stalled() && !b.in.wait(closed) {
			return 0, net.ErrClosed
		}
		if len(waiting) > 0 {
			l := waiting[0]
			waiting, used = waiting[1:], 0
			if !sleep(time.Until(l.until), closed) {
				return 0, net.ErrClosed
			}
			sizes[0], from[0] = copy(packets[0], l.packet), l.from
			return 1, nil
		}
		n, err := inner(packets, sizes, from)
		if err != nil {
			used, failed = 0, failed+1
			return 0, pause(err, failed, closed)
		}
		used, failed, data = n, 0, data[:0]
		now := time.Now()
		for i, size := range sizes[:n] {
			packet := packets[i][:size]
			if isData(packet) {
				data = append(data, packets[i])
			} else if d := b.crossings.came(packet, from[i], now); d > 0 {
				waiting = append(waiting, late{slices.Clone(packet), from[i], now.Add(d)})
				sizes[i] = 0 // which the engine passes over
			}
		}
		b.in.enter(data)
		return n, nil
	}
}

// pause lets some time pass when receiving has failed several times in a row, unless the reason is
// that the Bind is closed: then it returns that.
func pause(err error, times int, closed <-chan struct{}) error {
	if errors.Is(err, net.ErrClosed) {
		return err
	}
	if times > 10 && !sleep(10*time.Millisecond, closed) {
		return net.ErrClosed
	}
	return nil
}

// sleep lets some time pass, and reports whether closed is still open.
func sleep(d time.Duration, closed <-chan struct{}) bool {
	select {
	case <-closed:
		return false
	case <-time.After(d):
		return true
	}
}

// isData reports whether a packet of the tunnel carries a packet.
func isData(b []byte) bool {
	return len(b) > device.MessageKeepaliveSize && binary.LittleEndian.Uint32(b) == device.MessageTransportType
}

// Close closes the inner Bind.
func (b *bind) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed != nil {
		close(b.closed)
		b.closed = nil
	}
	b.probe.close()
	return b.Bind.Close()
}

// SetMark marks the packets of the inner Bind.
func (b *bind) SetMark(mark uint32) error {
	b.probe.setMark(mark)
	return b.Bind.SetMark(mark)
}

// Send sends packets to where a peer is. What the system can't send all at once, because a part of
// it is too large for the path or the address to send from is gone, is sent one by one, from the
// address that the system chooses; the system sends what is too large in fragments.
func (b *bind) Send(packets [][]byte, to conn.Endpoint) error {
	defer b.out.leave(packets)
	b.crossings.sent(packets, to)
	err := b.Bind.Send(packets, to)
	endpoint, ok := to.(*conn.StdNetEndpoint)
	if !ok {
		return err
	}
	again := mayGoAlone(err)
	if again {
		err = b.sendEach(packets, &conn.StdNetEndpoint{AddrPort: endpoint.AddrPort})
	}
	b.heed(again)
	return err
}

// sendEach sends packets one by one. The error is the last one.
func (b *bind) sendEach(packets [][]byte, to conn.Endpoint) (last error) {
	for i := range packets {
		if err := b.Bind.Send(packets[i:i+1], to); err != nil {
			last = err
		}
	}
	return last
}

// heedPause is the time in which nobody looks at the paths again, as long as nothing fails.
const heedPause = 5 * time.Second

// heed says on watch, now and then while packets are sent, that it is time to look at the paths,
// and at once if one is too small, it seems.
func (b *bind) heed(small bool) {
	now := time.Now().UnixNano()
	if last := b.heeded.Load(); !small && now-last < int64(heedPause) || !b.heeded.CompareAndSwap(last, now) {
		return
	}
	select {
	case b.watch <- struct{}{}:
	default:
	}
}
