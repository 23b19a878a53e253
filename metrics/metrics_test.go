package metrics_test

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/metrics"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// linked is a stack on a link that loses everything it sends.
func linked(t *testing.T) (*stack.Stack, *tun.Impaired) {
	t.Helper()
	a, b := tun.Pipe(1500)
	device, err := tun.Impair(a, tun.ImpairConfig{Out: tun.Impairment{Loss: 1}})
	require.NoError(t, err)
	s, err := stack.New(stack.Config{Device: device, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}})
	require.NoError(t, err)
	t.Cleanup(func() {
		s.Close()
		b.Close()
	})
	return s, device
}

func TestStack(t *testing.T) {
	s, _ := linked(t)
	l, err := s.Listen("tcp", ":80")
	require.NoError(t, err)
	defer l.Close()
	c, err := s.Dial("udp4", "10.0.0.2:9")
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Write(make([]byte, 100))
	require.NoError(t, err)
	client, err := s.Dial("tcp4", "127.0.0.1:80")
	require.NoError(t, err)
	defer client.Close()
	// The last segment of the handshake may still be on its way when Dial returns.
	require.Eventually(t, func() bool { return s.InterfaceStats()[0].PacketsIn == 3 }, time.Minute, time.Millisecond)
	collector := metrics.New(s)
	problems, err := testutil.CollectAndLint(collector)
	require.NoError(t, err)
	require.Empty(t, problems)
	require.NoError(t, testutil.CollectAndCompare(collector, strings.NewReader(`
# HELP wsstack_interface_bytes_total Bytes of the packets at an interface, IP headers included.
# TYPE wsstack_interface_bytes_total counter
wsstack_interface_bytes_total{direction="in",interface="tun0"} 0
wsstack_interface_bytes_total{direction="out",interface="tun0"} 128
`+loopbackBytes(s)+`
# HELP wsstack_udp_datagrams_total UDP datagrams that came for a socket, or were sent.
# TYPE wsstack_udp_datagrams_total counter
wsstack_udp_datagrams_total{direction="in"} 0
wsstack_udp_datagrams_total{direction="out"} 1
# HELP wsstack_sockets Open sockets.
# TYPE wsstack_sockets gauge
wsstack_sockets{network="tcp4",state="ESTABLISHED"} 1
wsstack_sockets{network="tcp6",state="LISTEN"} 1
wsstack_sockets{network="udp4",state="connected"} 1
# HELP wsstack_tcp_measured_connections Open connections whose round trip was measured.
# TYPE wsstack_tcp_measured_connections gauge
wsstack_tcp_measured_connections 1
`), "wsstack_interface_bytes_total", "wsstack_udp_datagrams_total", "wsstack_sockets", "wsstack_tcp_measured_connections"))
}

// loopbackBytes are the lines of the loopback, whose handshake has options of lengths of its own.
func loopbackBytes(s *stack.Stack) string {
	lo := s.InterfaceStats()[0]
	return fmt.Sprintf("wsstack_interface_bytes_total{direction=\"in\",interface=\"lo\"} %d\n"+
		"wsstack_interface_bytes_total{direction=\"out\",interface=\"lo\"} %d", lo.BytesIn, lo.BytesOut)
}

func TestLink(t *testing.T) {
	s, device := linked(t)
	c, err := s.Dial("udp4", "10.0.0.2:9")
	require.NoError(t, err)
	for range 3 {
		_, err = c.Write(make([]byte, 100))
		require.NoError(t, err)
	}
	collector := metrics.NewLink("wire", device)
	problems, err := testutil.CollectAndLint(collector)
	require.NoError(t, err)
	require.Empty(t, problems)
	require.NoError(t, testutil.CollectAndCompare(collector, strings.NewReader(`
# HELP wsstack_link_bytes_total Bytes of the packets that came to a link.
# TYPE wsstack_link_bytes_total counter
wsstack_link_bytes_total{direction="in",link="wire"} 0
wsstack_link_bytes_total{direction="out",link="wire"} 384
`), "wsstack_link_bytes_total"))
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(collector))
	families, err := registry.Gather()
	require.NoError(t, err)
	series := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "wsstack_link_impaired_packets_total" {
				labels := m.GetLabel() // sorted: direction, fate, link
				series[labels[0].GetValue()+" "+labels[1].GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	require.Equal(t, 3.0, series["out lost"])
	// Each counter of a direction but Packets and Bytes is a fate.
	require.Len(t, series, 2*(reflect.TypeFor[tun.ImpairStats]().NumField()-2))
}

// Several stacks and links are in one registry, told apart by labels, and no peer adds a series.
func TestSeveral(t *testing.T) {
	a, linkA := linked(t)
	b, linkB := linked(t)
	registry := prometheus.NewPedanticRegistry()
	for name, s := range map[string]*stack.Stack{"a": a, "b": b} {
		require.NoError(t, registry.Register(prometheus.WrapCollectorWith(prometheus.Labels{"host": name}, metrics.New(s))))
	}
	for name, d := range map[string]*tun.Impaired{"a": linkA, "b": linkB} {
		require.NoError(t, registry.Register(prometheus.WrapCollectorWith(prometheus.Labels{"where": name}, metrics.NewLink(name, d))))
	}
	count := func() int {
		n, err := testutil.GatherAndCount(registry)
		require.NoError(t, err)
		return n
	}
	// The garbage collector closes what nobody has any more, and so the test keeps all sockets.
	l, err := a.Listen("tcp4", "127.0.0.1:80")
	require.NoError(t, err)
	defer l.Close()
	dial := func() {
		c, err := a.Dial("tcp4", "127.0.0.1:80")
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
	}
	dial()
	a.Settle()
	before := count()
	for range 20 {
		dial()
		c, err := l.Accept()
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
	}
	a.Settle()
	require.Equal(t, before, count())
}
