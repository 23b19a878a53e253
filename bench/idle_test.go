package bench

import (
	"cmp"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
)

// idleConnections is WSSTACK_IDLE, or a number for every day.
func idleConnections(few int) int {
	if n, err := strconv.Atoi(os.Getenv("WSSTACK_IDLE")); err == nil {
		return n
	}
	return few
}

// keepAliveOn turns keep-alive on where there is a setter; gonet has none.
func keepAliveOn(c net.Conn) error {
	if k, ok := c.(interface{ SetKeepAlive(bool) error }); ok {
		return k.SetKeepAlive(true)
	}
	return nil
}

// growHeap makes the first of two measures find what the second does: a heap
// that is there. It costs half of the rate.
func growHeap(t testing.TB, count int) {
	_, err := Idle(Wsstack, count, keepAliveOn)
	require.NoError(t, err)
}

// An idle connection with keep-alive costs less than one of gonet, and no goroutine.
func TestIdleMemory(t *testing.T) {
	count := idleConnections(3000)
	growHeap(t, count)
	ours, theirs := medianIdle(t, Wsstack, count), medianIdle(t, Gonet, count)
	require.Less(t, ours.Goroutines, 0.01, "goroutines a connection")
	t.Logf("%d connections: %v; gonet: %v; ratio of the memory %.2f", count, ours, theirs, ours.Bytes/theirs.Bytes)
	if !raceEnabled { // the detector's shadow isn't ours
		require.LessOrEqual(t, ours.Bytes, float64(idleBytes))
		require.Less(t, ours.Bytes, theirs.Bytes)
	}
}

// medianIdle is the one of three measures that has the memory in the middle: what
// else the process lets go of meanwhile isn't the connections'.
func medianIdle(t *testing.T, maker Maker, count int) IdleCost {
	t.Helper()
	var costs []IdleCost
	for range 3 {
		cost, err := Idle(maker, count, keepAliveOn)
		require.NoError(t, err)
		costs = append(costs, cost)
	}
	slices.SortFunc(costs, func(a, b IdleCost) int { return cmp.Compare(a.Bytes, b.Bytes) })
	return costs[1]
}

// BenchmarkIdle reports what an idle connection costs beside gonet's, of
// WSSTACK_IDLE of them.
func BenchmarkIdle(b *testing.B) {
	count := idleConnections(20_000)
	growHeap(b, count)
	ours, err := Idle(Wsstack, count, keepAliveOn)
	require.NoError(b, err)
	theirs, err := Idle(Gonet, count, keepAliveOn)
	require.NoError(b, err)
	b.ReportMetric(0, "ns/op")
	for name, c := range map[string]IdleCost{"wsstack": ours, "gonet": theirs} {
		b.ReportMetric(c.Bytes, name+"-B/conn")
		b.ReportMetric(c.AcceptRate, name+"-accepts/s")
		b.ReportMetric(float64(c.Close.Nanoseconds())/float64(count), name+"-ns/close")
	}
	b.ReportMetric(ours.Bytes/theirs.Bytes, "ratio")
	if ours.Bytes/theirs.Bytes > 1.5 {
		b.Errorf("ratio %.2f is above 1.5", ours.Bytes/theirs.Bytes)
	}
}

// An idleConnection is one of TestIdleProbes as its client saw it.
type idleConnection struct {
	due    time.Duration // of the first probe
	iss    uint32        // the server's
	probes int
	reset  bool
}

// Every one of many idle connections is probed when it is due, half of them in
// the same instant, and dropped when it is due; in virtual time, with the
// documented idle time and two probes. The bound is 5 % of the time; they are
// within a millisecond.
func TestIdleProbes(t *testing.T) {
	count := idleConnections(2000)
	const idle, interval, probes = 2 * time.Hour, time.Second, 2
	n := simnet.New(t, simnet.TraceLimit(0))
	h := n.HostConfig("h", stack.Config{
		Addresses: []netip.Prefix{idleServer},
		KeepAlive: stack.KeepAlive{Count: probes},
	})
	w := n.Wire(h, "w", "10.1.0.1")
	clients := make(map[netip.AddrPort]*idleConnection, count)
	wrong, worst := 0, time.Duration(0)
	w.Set(simnet.From(h, simnet.Filter(func(packet []byte) []byte {
		r, ok := parseReply(packet)
		c := clients[r.to]
		if !ok || c == nil {
			wrong++
			return nil
		}
		due := c.due + time.Duration(c.probes)*interval
		switch {
		case r.flags.Contains(header.TCPFlagSyn):
			c.iss = r.seq
			return nil
		case r.flags.Contains(header.TCPFlagRst) && c.probes == probes && !c.reset:
			c.reset = true
		case r.flags == header.TCPFlagAck && r.size == 0 && r.seq == c.iss && c.probes < probes:
			c.probes++
		default:
			wrong++
		}
		worst = max(worst, (n.Now() - due).Abs())
		return nil
	})))
	accepted, goroutines := 0, runtime.NumGoroutine()
	n.Background("server", func() {
		l, err := h.Listen("tcp4", ":80")
		if err != nil {
			t.Error(err)
			return
		}
		for { // until the network is closed
			c, err := l.Accept()
			if err != nil {
				return
			}
			if err := c.(*endpoint.Conn).SetKeepAlive(true); err != nil {
				t.Error(err)
			}
			accepted++
		}
	})
	require.NoError(t, n.Idle())
	for i := range count {
		at := idleClient(i)
		c := &idleConnection{}
		clients[at] = c
		w.Inject(segment(at, header.TCPFlagSyn, 1000, 0))
		require.NoError(t, n.Idle())
		c.due = n.Now() + idle
		w.Inject(segment(at, header.TCPFlagAck, 1001, c.iss+1))
		require.NoError(t, n.Idle())
		if i < count/2 {
			require.NoError(t, n.Advance(time.Millisecond))
		}
	}
	require.Equal(t, count, accepted)
	require.Less(t, runtime.NumGoroutine()-goroutines, 50, "goroutines")
	start := time.Now()
	require.NoError(t, n.Advance(idle+time.Duration(count)*time.Millisecond+10*time.Second))
	t.Logf("%d connections: probed and dropped within %v of the time, in %v of real time", count, worst, time.Since(start))
	require.Zero(t, wrong, "segments that nobody expected")
	require.LessOrEqual(t, worst, time.Millisecond)
	for at, c := range clients {
		require.Equal(t, probes, c.probes, at)
		require.True(t, c.reset, at)
	}
}
