package tun

import (
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"gvisor.dev/gvisor/pkg/buffer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// numbered makes a packet of size bytes, at least 4, that starts with n.
func numbered(n, size int) Packet {
	data := make([]byte, max(size, 4))
	binary.BigEndian.PutUint32(data, uint32(n))
	return Packet{Data: buffer.MakeWithData(data)}
}

func numberOf(p *Packet) int {
	var data [4]byte
	flatten(data[:], &p.Data)
	return int(binary.BigEndian.Uint32(data[:]))
}

// send sends packets and releases them, as a caller of Send does.
func send(t testing.TB, d Device, packets ...Packet) {
	t.Helper()
	require.NoError(t, d.Send(packets))
	release(packets)
}

func release(packets []Packet) {
	for i := range packets {
		packets[i].Data.Release()
	}
}

// sink keeps the numbers, or the bytes, of what a device received.
type sink struct {
	mu      sync.Mutex
	numbers []int
	data    [][]byte
}

func (s *sink) receive(packets []Packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range packets {
		s.numbers = append(s.numbers, numberOf(&packets[i]))
		s.data = append(s.data, packets[i].Data.Flatten())
	}
	release(packets)
}

func (s *sink) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.numbers)
}

// requireNumbers waits for packets first to last, in order and no others.
func (s *sink) requireNumbers(t testing.TB, first, last int) {
	t.Helper()
	soon(t, func() bool { return s.len() >= last-first+1 }, "packets arrive")
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Len(t, s.numbers, last-first+1)
	for i, n := range s.numbers {
		require.Equal(t, first+i, n)
	}
}

func soon(t testing.TB, condition func() bool, message string) {
	t.Helper()
	require.Eventually(t, condition, 2*time.Minute, time.Millisecond, message)
}

// requireCloseWaits checks that Close of a started device waits for a receive
// that is running. arrive makes the device receive something.
func requireCloseWaits(t testing.TB, d Device, arrive func()) {
	t.Helper()
	running, proceed, closed := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var once sync.Once
	require.NoError(t, d.Start(func(p []Packet) {
		release(p)
		once.Do(func() { close(running) })
		<-proceed
	}))
	arrive()
	<-running
	go func() {
		defer close(closed)
		if err := d.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}()
	select {
	case <-closed:
		t.Error("Close returned while receive was running")
	case <-time.After(20 * time.Millisecond):
	}
	close(proceed)
	<-closed
}

// soonest is the deadline of a test that hangs.
func soonest() time.Time { return time.Now().Add(2 * time.Minute) }
