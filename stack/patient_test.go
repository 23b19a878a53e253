package stack_test

import (
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// A patient is a device that brings what a test gives it, and counts what it was sent.
type patient struct {
	tun.Func
	receive func([]tun.Packet)
	sent    atomic.Int64
}

func (*patient) Patience() int                            { return 1 << 10 }
func (d *patient) Start(receive func([]tun.Packet)) error { d.receive = receive; return nil }
func (d *patient) Send(p []tun.Packet) error              { d.sent.Add(int64(len(p))); return nil }

// What a patient device brings is answered on its goroutine: the RST has left when receive returns.
// Where somebody else has the turn, the goroutine doesn't wait for it, and the pump answers.
func TestTurnOfReader(t *testing.T) {
	d := &patient{Func: *tun.NewFunc(1500, nil)}
	s, err := stack.New(stack.Config{Device: d, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}})
	require.NoError(t, err)
	defer s.Close()
	syn := func() {
		d.receive([]tun.Packet{{Data: buffer.MakeWithData(
			segment(netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.1"), 1000, 80, 1, 0, header.TCPFlagSyn, nil, nil))}})
	}
	const enough = 100
	atOnce := 0
	for i := range int64(enough) {
		syn()
		if d.sent.Load() > i {
			atOnce++
		}
		for d.sent.Load() == i { // the pump had a turn just then
			runtime.Gosched()
		}
	}
	require.Greater(t, atOnce, enough/2)
	release := s.HoldTurn()
	syn()
	require.Equal(t, int64(enough), d.sent.Load())
	release()
	for d.sent.Load() == enough {
		runtime.Gosched()
	}
}
