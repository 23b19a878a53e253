package iperf3_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/iperf3"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
)

// bench runs a server and a client in virtual time, over a link, and returns what each reports.
func bench(t *testing.T, p iperf3.Params, link ...simnet.LinkOption) (client, server *iperf3.Report) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(t, simnet.Bubble())
		host := func(name, address string) *simnet.Host {
			return n.HostConfig(name, stack.Config{Addresses: []netip.Prefix{netip.MustParsePrefix(address)}, SendBuffer: 64 << 10})
		}
		a, b := host("client", "10.0.0.1/24"), host("server", "10.0.0.2/24")
		n.Link(a, b, link...)
		done := make(chan error, 1)
		ready := make(chan net.Addr, 1)
		go func() {
			done <- iperf3.Serve(t.Context(), iperf3.Stack{Stack: b.Stack}, "10.0.0.2:5201", iperf3.ServerConfig{One: true,
				Ready: func(a net.Addr) { ready <- a },
				Done:  func(r *iperf3.Report, err error) { server = r; assert.NoError(t, err) }})
		}()
		var err error
		client, err = iperf3.Run(t.Context(), iperf3.Stack{Stack: a.Stack}, (<-ready).String(), p, nil)
		require.NoError(t, err)
		require.NoError(t, <-done)
	})
	return client, server
}

// near wants a rate, within a share of it.
func near(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if math.Abs(got-want) > want*share {
		t.Errorf("%s: %.0f bit/s, want %.0f", what, got, want)
	}
}

// A link of 10 Mbit/s is found to be one, in each direction, by both sides.
func TestTCP(t *testing.T) {
	for _, reverse := range []bool{false, true} {
		for _, parallel := range []int{1, 3} {
			c, s := bench(t, iperf3.Params{Time: 3, Reverse: reverse, Parallel: parallel, Len: 4 << 10},
				simnet.Delay(5*time.Millisecond), simnet.Rate(2_000_000, 10_000))
			near(t, "client", c.End.Received.Bits, 2e6*1460/1500, 0.1)
			assert.Equal(t, c.End.Received.Bytes, s.End.Received.Bytes)
			assert.Equal(t, c.End.Sent.Bytes, s.End.Sent.Bytes)
			require.NotNil(t, c.End.Sent.Retransmits)
			assert.Greater(t, *c.End.Sent.Retransmits, int64(0)) // the queue is short
			assert.Len(t, c.End.Streams, parallel)
			assert.Len(t, c.Intervals, 3)
			assert.Len(t, s.Intervals, 3)
			assert.Equal(t, []int{1, 3, 4}[parallel-1], c.Start.Connected[parallel-1].Socket)
		}
	}
}

// Both directions at the same time.
func TestTCP_Bidirectional(t *testing.T) {
	c, _ := bench(t, iperf3.Params{Time: 3, Bidirectional: true, Len: 4 << 10},
		simnet.Delay(5*time.Millisecond), simnet.Rate(2_000_000, 20_000))
	near(t, "there", c.End.Received.Bits, 1.9e6, 0.1)
	near(t, "back", c.End.ReceivedReverse.Bits, 1.9e6, 0.1)
}

// A number of bytes ends a test, as do blocks.
func TestTCP_Amount(t *testing.T) {
	for _, p := range []iperf3.Params{{Num: 1 << 20, Len: 1000}, {BlockCount: 1000, Len: 1000}, {Num: 1 << 20, Len: 1000, Reverse: true}} {
		c, _ := bench(t, p, simnet.Delay(5*time.Millisecond), simnet.Rate(10_000_000, 100_000))
		got, want := c.End.Sent.Bytes, p.Num+p.BlockCount*1000
		if p.Reverse {
			got = c.End.Received.Bytes
		}
		if got < want || got > want+64<<10 {
			t.Errorf("%d bytes, want %d", got, want)
		}
	}
}

// The time that doesn't count isn't counted.
func TestTCP_Omit(t *testing.T) {
	c, s := bench(t, iperf3.Params{Time: 4, Omit: 2, Bandwidth: 1e6, Len: 1000}, simnet.Delay(5*time.Millisecond))
	for _, r := range []*iperf3.Report{c, s} {
		near(t, "sent", r.End.Sent.Bits, 1e6, 0.05)
		assert.InDelta(t, 4, r.End.Sent.Seconds, 0.1)
		assert.InDelta(t, 500_000, r.End.Received.Bytes, 20_000)
		require.Len(t, r.Intervals, 6)
		assert.True(t, r.Intervals[1].Sum.Omitted)
		assert.False(t, r.Intervals[2].Sum.Omitted)
	}
}

// The receiver of datagrams sees what is lost.
func TestUDP(t *testing.T) {
	for _, reverse := range []bool{false, true} {
		for _, counters := range []int{0, 1} {
			c, s := bench(t, iperf3.Params{UDP: true, Time: 5, Bandwidth: 2e6, Len: 1000, Reverse: reverse, Counters64: counters, Parallel: 2},
				simnet.Delay(5*time.Millisecond), simnet.Jitter(2*time.Millisecond), simnet.Loss(0.1))
			for _, r := range []*iperf3.Report{c, s} {
				near(t, "sent", r.End.Sent.Bits, 4e6, 0.05)
				near(t, "received", r.End.Received.Bits, 3.6e6, 0.05)
				assert.InDelta(t, 10, r.End.Received.LostPercent, 3)
				assert.InDelta(t, 1.3, r.End.Received.Jitter, 1)
				assert.Nil(t, r.End.Sent.Retransmits)
			}
		}
	}
}

// A link that is too slow for the datagrams loses them.
func TestUDP_Overload(t *testing.T) {
	c, _ := bench(t, iperf3.Params{UDP: true, Time: 5, Bandwidth: 10e6, Len: 1000}, simnet.Rate(5_000_000, 10_000))
	assert.InDelta(t, 50, c.End.Received.LostPercent, 5)
}

// The report has the names of iperf3's.
func TestReport_JSON(t *testing.T) {
	c, _ := bench(t, iperf3.Params{Time: 1, Bandwidth: 1e6, Len: 1000}, simnet.Delay(5*time.Millisecond))
	text, err := json.Marshal(c)
	require.NoError(t, err)
	var got map[string]any
	require.NoError(t, json.Unmarshal(text, &got))
	end := got["end"].(map[string]any)
	for _, sum := range []string{"sum_sent", "sum_received"} {
		assert.InDelta(t, 1e6, end[sum].(map[string]any)["bits_per_second"].(float64), 1e5)
	}
	assert.Contains(t, string(text), `"test_start":{"protocol":"TCP","num_streams":1,"blksize":1000,`)
	assert.Equal(t, 2, strings.Count(c.Text(), "\n"), c.Text())
}

// Who comes during a test hears that the server is busy; and the test goes on.
func TestServe_Busy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(t, simnet.Bubble())
		a, b := n.Host("client", "10.0.0.1/24"), n.Host("server", "10.0.0.2/24")
		n.Link(a, b, simnet.Delay(5*time.Millisecond))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- iperf3.Serve(ctx, iperf3.Stack{Stack: b.Stack}, "10.0.0.2:5201", iperf3.ServerConfig{})
		}()
		network := iperf3.Stack{Stack: a.Stack}
		first := make(chan error, 1)
		slow := iperf3.Params{Time: 5, Bandwidth: 1e6, Len: 1000}
		go func() {
			time.Sleep(time.Second)
			_, err := iperf3.Run(ctx, network, "10.0.0.2:5201", slow, nil)
			first <- err
		}()
		time.Sleep(2 * time.Second)
		_, err := iperf3.Run(ctx, network, "10.0.0.2:5201", slow, nil)
		var e *iperf3.Error
		require.ErrorAs(t, err, &e)
		assert.Contains(t, e.Error(), "busy")
		assert.NotEmpty(t, e.Hint())
		require.NoError(t, <-first)

		go func() { // an interrupted client ends the test, and the server is free again
			time.Sleep(2 * time.Second)
			cancel()
		}()
		_, err = iperf3.Run(ctx, network, "10.0.0.2:5201", slow, nil)
		assert.EqualError(t, err, "the test was interrupted")
		assert.True(t, errors.Is(<-done, context.Canceled))
	})
}
