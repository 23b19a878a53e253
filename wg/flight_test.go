package wg

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
	"pgregory.net/rapid"
)

// forEver is the patience of who never gives up.
var forEver = patience{overtaken: time.Hour, longest: time.Hour}

// engineBuffers are buffers as the engine has them.
func engineBuffers(n int) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = make([]byte, device.MaxMessageSize)
	}
	return all
}

// A flight is a set of buffers. When those in it have been there for too long, and there are too
// many, they aren't counted anymore.
func TestFlight(t *testing.T) {
	buffers := engineBuffers(16)
	rapid.Check(t, func(t *rapid.T) {
		f := newFlight(8, forEver)
		model := map[int]bool{}
		pick := func(t *rapid.T) (indices []int, list [][]byte) {
			indices = rapid.SliceOfNDistinct(rapid.IntRange(0, len(buffers)-1), 1, 6, rapid.ID[int]).Draw(t, "buffers")
			for _, i := range indices {
				list = append(list, buffers[i])
			}
			return indices, list
		}
		t.Repeat(map[string]func(*rapid.T){
			"enter": func(t *rapid.T) {
				indices, list := pick(t)
				f.enter(list)
				for _, i := range indices {
					model[i] = true
				}
			},
			"leave": func(t *rapid.T) {
				indices, list := pick(t)
				f.leave(list)
				for _, i := range indices {
					delete(model, i)
				}
			},
			"lose patience": func(*rapid.T) {
				f.times = patience{}
				require.Zero(t, f.full())
				f.times = forEver
				if len(model) >= f.limit {
					clear(model)
				}
			},
			"": func(t *rapid.T) {
				require.Equal(t, len(model), f.len())
				require.Equal(t, len(model) >= f.limit, f.full() > 0)
			},
		})
	})
}

// Entries of buffers that have left don't pile up.
func TestFlight_Bounded(t *testing.T) {
	f := newFlight(8, forEver)
	b := engineBuffers(1)
	for range 1000 {
		f.enter(b)
		f.leave(b)
	}
	require.LessOrEqual(t, f.order.Len(), 1)
}

// Who waits goes on when there is room, whether packets leave or are forgotten, and when told to
// stop.
func TestFlight_Wait(t *testing.T) {
	f := newFlight(1, forEver)
	b := engineBuffers(2)
	f.enter(b)
	stop, results := make(chan struct{}), make(chan bool)
	for range 2 {
		go func() { results <- f.wait(stop) }()
	}
	f.leave(b[:1])
	select {
	case <-results:
		t.Error("there was no room")
	case <-time.After(10 * time.Millisecond):
	}
	f.leave(b[1:])
	require.True(t, <-results)
	require.True(t, <-results, "one wakes the other")

	f.enter(b)
	go func() { results <- f.wait(stop) }()
	close(stop)
	require.False(t, <-results)
	f = newFlight(1, outbound)
	f.enter(b)
	require.True(t, f.wait(nil), "after the time that the engine has")
}

// A flight is stalled while several packets a second are inside for too long.
func TestFlight_Stalled(t *testing.T) {
	f := newFlight(4, patience{})
	for range len(f.gaveUp) {
		require.False(t, f.stalled())
		f.enter(engineBuffers(1))
	}
	require.True(t, f.stalled())
	first := &f.gaveUp[0]
	*first = first.Add(-time.Second)
	require.False(t, f.stalled(), "the first of them is too long ago")
	f.enter(engineBuffers(1))
	require.True(t, f.stalled(), "the second isn't")
}

// A packet that others have overtaken is given up soon, as it is for a peer that doesn't answer;
// one that is only late, because the process had to wait, isn't.
func TestFlight_Overtaken(t *testing.T) {
	f := newFlight(2, patience{overtaken: time.Minute, longest: time.Hour})
	b := engineBuffers(4)
	f.enter(b[:3])
	for range f.order.Len() { // it is half an hour later
		entry := f.order.Pop()
		entry.at = entry.at.Add(-time.Hour / 2)
		f.order.Push(entry)
	}
	require.Greater(t, f.full(), 25*time.Minute, "nobody has overtaken the first")
	f.leave(b[:1])
	require.Positive(t, f.full(), "the first has gone in its turn")
	f.leave(b[2:3])
	f.enter(b[3:])
	require.Equal(t, 1, f.len(), "the second was overtaken by the third")
	require.Equal(t, 1, f.givenUp)
}

// A flight that nobody waits for has a bound as well.
func TestFlight_Crowd(t *testing.T) {
	f := newFlight(1, forEver)
	f.enter(engineBuffers(crowd))
	require.Zero(t, f.givenUp)
	b := engineBuffers(1)
	f.enter(b)
	require.Equal(t, 1, f.givenUp)
	require.Equal(t, crowd, f.len())
}

// A fakeBind receives what a test says.
type fakeBind struct {
	conn.Bind
	receive conn.ReceiveFunc
}

func (b *fakeBind) Open(uint16) ([]conn.ReceiveFunc, uint16, error) {
	return []conn.ReceiveFunc{b.receive}, 1, nil
}
func (b *fakeBind) Close() error   { return nil }
func (b *fakeBind) BatchSize() int { return 4 }

// A Bind counts packets with data from their arrival, but no others, and not those that the engine
// leaves where they are.
func TestBind_Receive(t *testing.T) {
	u := newTUN(1420)
	defer u.Stack().Close()
	kinds := []byte{device.MessageTransportType, device.MessageInitiationType, device.MessageTransportType}
	b := u.Bind(&fakeBind{receive: func(packets [][]byte, sizes []int, _ []conn.Endpoint) (int, error) {
		for i, kind := range kinds {
			packets[i][0], packets[i][1], packets[i][2], packets[i][3] = kind, 0, 0, 0
			sizes[i] = 100
		}
		sizes[1] = device.MessageKeepaliveSize
		return len(kinds), nil
	}})
	receivers, _, err := b.Open(0)
	require.NoError(t, err)
	slots, sizes := engineBuffers(4), make([]int, 4)
	n, err := receivers[0](slots, sizes, make([]conn.Endpoint, 4))
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.Equal(t, 2, u.in.len())

	taken := slots[0]
	slots[0], kinds = engineBuffers(1)[0], kinds[:2] // the engine took the first, and left the third
	_, err = receivers[0](slots, sizes, make([]conn.Endpoint, 4))
	require.NoError(t, err)
	require.Equal(t, 2, u.in.len())
	u.in.leave([][]byte{taken})
	require.Equal(t, 1, u.in.len())

	u.in.limit, u.in.times = 1, forEver
	for i := range u.in.gaveUp { // what fails to be decrypted stays, and nobody waits for it
		u.in.gaveUp[i], u.in.givenUp = time.Now(), i+1
	}
	n, err = receivers[0](engineBuffers(4), sizes, make([]conn.Endpoint, 4))
	require.NoError(t, err)
	require.Equal(t, 2, n)

	u.in.givenUp = 0
	ended := make(chan error)
	go func() {
		held := engineBuffers(4)
		_, err := receivers[0](held, sizes, make([]conn.Endpoint, 4))
		ended <- err
	}()
	require.NoError(t, b.Close())
	require.ErrorIs(t, <-ended, net.ErrClosed)
}

// A Bind that fails to receive doesn't end the reception, unless it is closed.
func TestBind_ReceiveErrors(t *testing.T) {
	u := newTUN(1420)
	defer u.Stack().Close()
	failure := errors.New("splitting coalesced packet resulted in overflow")
	inner := &fakeBind{receive: func([][]byte, []int, []conn.Endpoint) (int, error) { return 0, failure }}
	b := u.Bind(inner)
	receivers, _, err := b.Open(0)
	require.NoError(t, err)
	for range 20 {
		n, err := receivers[0](engineBuffers(4), make([]int, 4), make([]conn.Endpoint, 4))
		require.NoError(t, err)
		require.Zero(t, n)
	}
	require.NoError(t, b.Close())
	_, err = receivers[0](engineBuffers(4), make([]int, 4), make([]conn.Endpoint, 4))
	require.ErrorIs(t, err, net.ErrClosed)
	require.ErrorIs(t, pause(net.ErrClosed, 1, nil), net.ErrClosed)
}
