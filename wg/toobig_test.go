package wg

import (
	"io"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/buffer"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// A narrow is a device that answers the first segment with data as a router behind it would, whose
// next link takes packets of 1000 bytes.
type narrow struct {
	*Device
	once sync.Once
}

func (d *narrow) Start(receive func([]tun.Packet)) error {
	small := &paths{}
	small.limits.Store(&limits{of: map[netip.Prefix]int{netip.MustParsePrefix("0.0.0.0/0"): 1000}, bits4: []int{0}})
	return d.Device.Start(func(packets []tun.Packet) {
		for i := range packets {
			if b := packets[i].Data.Flatten(); len(b) > 1000 {
				d.once.Do(func() {
					_ = d.Send([]tun.Packet{{Data: buffer.MakeWithData(small.look(b, len(b)))}})
				})
			}
		}
		receive(packets)
	})
}

// A router inside of the tunnel that says how small a link is gets heard.
func TestTooBigInside(t *testing.T) {
	a, b := pair(t)
	far := open(t, b)
	a.Peers[0].Endpoint = loopback(far)
	stacks := [2]*stack.Stack{newStack(t, a.Stack(open(t, a))), newStack(t, b.Stack(&narrow{Device: far}))}
	l, err := stacks[1].Listen("tcp", "10.0.0.2:80")
	require.NoError(t, err)
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		}
	}()
	c, err := stacks[0].Dial("tcp", "10.0.0.2:80")
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(2*time.Minute)))
	for mss := 0; mss != 960; {
		_, err := c.Write(make([]byte, 10_000))
		require.NoError(t, err)
		mss, err = options.TCP_MAXSEG.Get(c.(*endpoint.Conn))
		require.NoError(t, err)
	}
}
