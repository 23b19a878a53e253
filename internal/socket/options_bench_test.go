package socket_test

import (
	"slices"
	"testing"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/sockettest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

// optionSockets are sockets with an endpoint, and options that reach different
// parts of it.
var optionSockets = []struct {
	name    string
	make    func(t testing.TB) *socket.Socket
	options []benchOption
}{
	{"stream", func(t testing.TB) *socket.Socket {
		a, b := sockettest.Pair(t)
		c, _ := sockettest.ConnectedSockets(t, a, b)
		return c
	}, []benchOption{
		{wsa.SOL_SOCKET, wsa.SO_REUSEADDR},
		{wsa.SOL_SOCKET, wsa.SO_OOBINLINE},
		{wsa.SOL_SOCKET, wsa.SO_SNDBUF},
		{wsa.SOL_SOCKET, wsa.SO_RCVBUF},
		{wsa.IPPROTO_TCP, wsa.TCP_NODELAY},
		{wsa.IPPROTO_TCP, wsa.TCP_KEEPCNT},
		{wsa.IPPROTO_TCP, wsa.TCP_MAXRT},
		{wsa.IPPROTO_IP, wsa.IP_TTL},
		{wsa.SOL_SOCKET, wsa.SO_KEEPALIVE}, // from here on it is on
	}},
	{"datagram", func(t testing.TB) *socket.Socket {
		a, _ := sockettest.Pair(t)
		s := sockettest.NewSocket(t, a, wsa.AF_INET, wsa.SOCK_DGRAM)
		require.Zero(t, s.Bind(addrPort("10.0.0.1:0")))
		return s
	}, []benchOption{
		{wsa.SOL_SOCKET, wsa.SO_BROADCAST},
		{wsa.SOL_SOCKET, wsa.SO_SNDBUF},
		{wsa.SOL_SOCKET, wsa.SO_RCVBUF},
		{wsa.IPPROTO_IP, wsa.IP_TTL},
		{wsa.IPPROTO_IP, wsa.IP_MULTICAST_LOOP},
	}},
}

type benchOption struct{ level, name int32 }

// makers are the options whose change makes something: a timer, and the filter
// of what is received, which readers don't lock.
var makers = []string{"stream SO_KEEPALIVE", "datagram SO_BROADCAST", "datagram IP_MULTICAST_LOOP"}

// forEachOption runs f with a function that sets the option to another value
// each time, one that sets it to the same, and one that gets it.
func forEachOption(t testing.TB, f func(name string, change, same, get func() wsa.Errno)) {
	for _, kind := range optionSockets {
		s := kind.make(t)
		for _, o := range kind.options {
			values, buf, n := [2][]byte{u32(2000), u32(0)}, make([]byte, 4), 0
			if o.name == wsa.TCP_KEEPCNT || o.name == wsa.IP_TTL {
				values = [2][]byte{u32(7), u32(8)}
			}
			f(kind.name+" "+wsa.OptionName(o.level, o.name), func() wsa.Errno {
				n++
				return s.SetSockOpt(o.level, o.name, values[n%2])
			}, func() wsa.Errno {
				return s.SetSockOpt(o.level, o.name, values[n%2])
			}, func() wsa.Errno {
				_, err := s.GetSockOpt(o.level, o.name, buf)
				return err
			})
		}
	}
}

func TestOptionsDontAllocate(t *testing.T) {
	forEachOption(t, func(name string, change, same, get func() wsa.Errno) {
		for what, call := range map[string]func() wsa.Errno{"change": change, "set": same, "get": get} {
			if what == "change" && slices.Contains(makers, name) {
				continue
			}
			var err wsa.Errno
			allocations := testing.AllocsPerRun(100, func() { err = max(err, call()) })
			assert.Zero(t, err, "%s %s", what, name)
			assert.Zero(t, allocations, "%s %s", what, name)
		}
	})
}

func BenchmarkSockOpt(b *testing.B) {
	forEachOption(b, func(name string, change, same, get func() wsa.Errno) {
		for _, call := range []struct {
			what string
			f    func() wsa.Errno
		}{{"change", change}, {"same", same}, {"get", get}} {
			b.Run(name+" "+call.what, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := call.f(); err != 0 {
						b.Fatal(err)
					}
				}
			})
		}
	})
}
