//go:build linux

package integration

import (
	"bytes"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// newQueues makes a link whose TUN has four queues, and whose stack has four parts, on whatever
// machine.
func newQueues(t *testing.T) *network {
	t.Helper()
	processors := runtime.GOMAXPROCS(8)
	t.Cleanup(func() { runtime.GOMAXPROCS(processors) })
	n := newNetwork(t, settings{open: tun.OpenOffload})
	require.Equal(t, 4, n.device.(tun.Parallel).EnableParallel())
	return n
}

// What several queues bring is whole, and in order, as the kernel knows the queue of a connection from
// the first segment that it gets. (It forgets the queue of one that sends nothing for three seconds,
// and segments may overtake each other when it learns it again.)
func TestQueues(t *testing.T) {
	const conns, first, rest = 24, 1 << 10, 256 << 10
	n := newQueues(t)
	n.eachRole(t, func(t *testing.T, r role) {
		var wg sync.WaitGroup
		var early atomic.Int32 // connections of which segments came ahead of others
		for range conns {
			client, server := r.connect(t)
			kernel, wsock := client, server
			if r.client == n.wsock {
				kernel, wsock = server, client
			}
			wg.Go(func() {
				_, err := io.Copy(wsock, struct{ io.Reader }{wsock})
				if err != nil {
					t.Error(err)
				}
				if bytesEarly(t, wsock) > 0 {
					early.Add(1)
				}
				_ = wsock.Close()
			})
			wg.Go(func() {
				defer kernel.Close()
				for _, size := range []int{first, rest} {
					message := bytes.Repeat([]byte("0123456789abcdef"), size/16)
					var sending sync.WaitGroup
					sending.Go(func() {
						if _, err := kernel.Write(message); err != nil {
							t.Error(err)
						}
					})
					back := make([]byte, size)
					if _, err := io.ReadFull(kernel, back); err != nil || !bytes.Equal(message, back) {
						t.Errorf("something else came back, or not all: %v", err)
					}
					sending.Wait()
				}
			})
		}
		wg.Wait()
		require.Less(t, early.Load(), int32(conns/4))
	})
}

// bytesEarly is how many bytes of a connection of the stack came ahead of others.
func bytesEarly(t *testing.T, c net.Conn) uint32 {
	t.Helper()
	var b [wsa.SizeofTCPInfoV1]byte
	_, err := c.(*endpoint.Conn).Ioctl(wsa.SIO_TCP_INFO, []byte{1, 0, 0, 0}, b[:])
	info, errno := wsa.ParseTCPInfo(b[:], 1)
	if err != nil || errno != 0 {
		t.Errorf("SIO_TCP_INFO: %v, %v", err, errno)
	}
	return info.BytesReordered
}

// A stack is closed in the midst of a flood by all queues, with connections that are busy.
func TestQueuesFlood(t *testing.T) {
	const flows, enough = 16, 5000
	n := newQueues(t)
	stop := make(chan struct{})
	var busy sync.WaitGroup
	var clients []net.Conn
	for range 4 {
		client, server := role{client: n.kernel, server: n.wsock}.connect(t)
		busy.Go(func() {
			_, _ = io.Copy(server, struct{ io.Reader }{server})
			_ = server.Close()
		})
		clients = append(clients, client)
		busy.Go(func() {
			for message := make([]byte, 1000); echo(client, message) == nil; {
			}
		})
	}
	for range flows {
		c, err := net.Dial("udp", net.JoinHostPort(n.wsock.addr(false).String(), "9"))
		require.NoError(t, err)
		busy.Go(func() {
			defer c.Close()
			for message := make([]byte, 1000); ; {
				select {
				case <-stop:
					return
				default:
					_, _ = c.Write(message) // refused, or no room, or the interface is gone
				}
			}
		})
	}
	for n.stack.InterfaceStats()[1].PacketsIn < enough {
		runtime.Gosched()
	}
	within(t, "Stack.Close", func() { require.NoError(t, n.stack.Close()) })
	close(stop)
	for _, c := range clients {
		_ = c.Close()
	}
	within(t, "what was busy", busy.Wait)
}
