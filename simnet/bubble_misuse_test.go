package simnet_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
)

// A misuse ends its process, which says a sentence about it.
type misuse struct {
	says string
	run  func(t *testing.T)
}

const (
	belongs  = "the network belongs to a bubble of testing/synctest, but the caller doesn't"
	elsewise = "the network was made outside of this bubble of testing/synctest"
	another  = "the network belongs to another bubble of testing/synctest"
)

var misuses = map[string]misuse{
	"the testing.T of the test around the bubble": {"New needs the t that synctest.Test gives its function", func(t *testing.T) {
		synctest.Test(t, func(*testing.T) { simnet.New(t) })
	}},
	"no Close": {"simnet.(*Network).isOpenUntilClose", func(t *testing.T) {
		synctest.Test(t, func(*testing.T) { simnet.New(nil).Host("a", "10.0.0.1/24") })
	}},
	"a goroutine that outlives the bubble": {`goroutine "stuck" hasn't returned`, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			simnet.New(t).Go("stuck", func() { <-make(chan int) })
		})
	}},
	"packets without end": {"1000 packets were sent at 5.000s, and there is still more to do at that time", func(t *testing.T) {
		simnet.LimitInstant(1000)
		bubble(t, func(t *testing.T, _ *simnet.Network, a, b *simnet.Host) {
			c, s := connect(t, a, b)
			time.Sleep(5 * time.Second)
			go io.Copy(s, s)
			go io.Copy(io.Discard, c)
			for end := time.Now().Add(time.Second); time.Now().Before(end); {
				c.Write(make([]byte, 1000))
			}
		})
	}},
	"a call that waits, of a network in real time": {elsewise, func(t *testing.T) {
		l, err := simnet.New(t, simnet.RealTime()).Host("a", "10.0.0.1/24").Listen("tcp", ":80")
		require.NoError(t, err)
		synctest.Test(t, func(*testing.T) { l.Accept() })
	}},
	"a network in real time": {elsewise, func(t *testing.T) {
		n := simnet.New(t, simnet.RealTime())
		a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
		n.Link(a, b)
		synctest.Test(t, func(*testing.T) { a.Dial("tcp", "10.0.0.2:80") })
	}},
	"Run outside": outsider(func(n *simnet.Network, _ net.Conn) { n.Run() }),
	"Go outside":  outsider(func(n *simnet.Network, _ net.Conn) { n.Go("x", func() {}) }),
	"Time outside": outsider(func(n *simnet.Network, _ net.Conn) {
		n.Time()
	}),
	"Clock outside": outsider(func(n *simnet.Network, _ net.Conn) { n.Clock().AfterFunc(1, func() {}) }),
	"Read outside":  outsider(func(_ *simnet.Network, c net.Conn) { c.Read(make([]byte, 1)) }),
	"Write outside": outsider(func(_ *simnet.Network, c net.Conn) { c.Write(make([]byte, 1)) }),
	"Close outside": outsider(func(_ *simnet.Network, c net.Conn) { c.Close() }),
	"SetDeadline outside": outsider(func(_ *simnet.Network, c net.Conn) {
		c.SetDeadline(time.Now().Add(time.Hour))
	}),
	"CopyFrom outside": outsider(func(_ *simnet.Network, c net.Conn) { io.Copy(c, c) }),
	"Network.Close outside": outsider(func(n *simnet.Network, _ net.Conn) {
		if err := n.Close(); err != nil {
			panic(err)
		}
	}),
}

// outsider uses a network of a bubble, and a connection, on a goroutine that isn't in the bubble.
func outsider(use func(*simnet.Network, net.Conn)) misuse {
	return misuse{belongs, func(t *testing.T) {
		var n *simnet.Network
		var c net.Conn
		var made, used sync.Mutex // works across the border of a bubble
		made.Lock()
		used.Lock()
		go func() {
			made.Lock()
			use(n, c)
			used.Unlock()
		}()
		bubble(t, func(t *testing.T, net *simnet.Network, a, b *simnet.Host) {
			n = net
			c, _ = connect(t, a, b)
			made.Unlock()
			used.Lock()
		})
	}}
}

// Each misuse is named, by what a process prints that ends for it.
func TestBubbleMisuse(t *testing.T) {
	if name := os.Getenv("WSSTACK_MISUSE"); name != "" {
		misuses[name].run(t)
		return
	}
	self, err := os.Executable()
	require.NoError(t, err)
	for name, m := range misuses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(self, "-test.run", "^TestBubbleMisuse$", "-test.timeout", "60s")
			cmd.Env = append(os.Environ(), "WSSTACK_MISUSE="+name)
			out, err := cmd.CombinedOutput()
			require.Error(t, err)
			require.Contains(t, string(out), m.says)
		})
	}
}

func TestBubbleOutside(t *testing.T) {
	require.PanicsWithError(t, `simnet: Bubble: New was called outside of a bubble of testing/synctest; write
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(t, simnet.Bubble())
		…
	})`, func() { simnet.New(nil, simnet.Bubble()) })
}

// A network that was made outside isn't one of the bubble, and says so.
func TestBubbleForeignNetwork(t *testing.T) {
	for name, opts := range map[string][]simnet.Option{"deterministic": nil, "RealTime": {simnet.RealTime()}} {
		t.Run(name, func(t *testing.T) {
			n := simnet.New(t, opts...)
			a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
			n.Link(a, b)
			synctest.Test(t, func(t *testing.T) {
				for call, use := range map[string]func(){
					"Go":      func() { n.Go("x", func() {}) },
					"Run":     func() { n.Run() },
					"Do":      func() { n.Do("x", func() {}) },
					"Advance": func() { n.Advance(1) },
					"Idle":    func() { n.Idle() },
					"Sleep":   func() { n.Sleep(1) },
					"Close": func() {
						if err := n.Close(); err != nil {
							panic(err.Error())
						}
					},
				} {
					assert.Contains(t, panicOf(use), elsewise, call)
				}
				if len(opts) == 0 {
					assert.Contains(t, panicOf(func() { a.Dial("tcp", "10.0.0.2:80") }), elsewise)
				}
			})
			require.NoError(t, n.Idle())
		})
	}
}

// The network of a bubble is of no use to the next, nor afterwards.
func TestBubbleOfBefore(t *testing.T) {
	var n *simnet.Network
	bubble(t, func(_ *testing.T, net *simnet.Network, _, _ *simnet.Host) { n = net })
	synctest.Test(t, func(t *testing.T) {
		require.Contains(t, panicOf(func() { n.Run() }), another)
		require.ErrorContains(t, n.Close(), another)
	})
	require.Contains(t, panicOf(func() { n.Run() }), belongs)
	require.ErrorContains(t, n.Close(), belongs)
}

// panicOf is what a function panics with; "" stands for no panic.
func panicOf(f func()) (text string) {
	defer func() {
		if r := recover(); r != nil {
			text = fmt.Sprint(r)
		}
	}()
	f()
	return ""
}
