package stack_test

import (
	"context"
	"encoding/binary"
	"io"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// benchGateway is a client over a gateway whose Forwarder has a function for everything.
func benchGateway(b *testing.B, cfg stack.ForwarderConfig) (client *stack.Stack, f *stack.Forwarder) {
	da, db := tun.Pipe(1500)
	client, err := stack.New(stack.Config{Device: da, Addresses: prefixes("10.1.0.9/16")})
	require.NoError(b, err)
	gw, err := stack.New(stack.Config{Device: db, Addresses: prefixes("10.1.0.1/16")})
	require.NoError(b, err)
	f, err = gw.NewForwarder(cfg)
	require.NoError(b, err)
	b.Cleanup(func() { gw.Close(); client.Close() })
	return client, f
}

// BenchmarkForwarderConnect is connections that are asked for, made and reset, one after the other,
// each to another port.
func BenchmarkForwarderConnect(b *testing.B) {
	client, f := benchGateway(b, stack.ForwarderConfig{Connect: func(context.Context, netip.AddrPort, netip.AddrPort) (any, error) { return nil, nil }})
	go func() {
		for {
			c, _, err := f.AcceptValue()
			if err != nil {
				return
			}
			c.SetLinger(0)
			c.Close()
		}
	}()
	i := 0
	for b.Loop() {
		i++
		c, err := client.Dial("tcp", "93.184.216.34:"+strconv.Itoa(1+i%60000))
		require.NoError(b, err)
		c.Read(make([]byte, 1))
		c.Close()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "connections/s")
}

// BenchmarkForwarderUDP is datagrams of a session, there and back again.
func BenchmarkForwarderUDP(b *testing.B) {
	got := make(chan struct{}, 1)
	device := tun.NewFunc(1500, func([]byte) { got <- struct{}{} })
	gw, err := stack.New(stack.Config{Device: device, Addresses: prefixes("10.1.0.1/16")})
	require.NoError(b, err)
	defer gw.Close()
	_, err = gw.NewForwarder(stack.ForwarderConfig{UDP: func(_ context.Context, s *stack.UDPSession) (io.WriteCloser, error) {
		return writer(func(p []byte) (int, error) { return s.Write(p) }), nil
	}})
	require.NoError(b, err)
	packet := simnet.EncodeUDP(netip.MustParseAddrPort("10.1.0.9:1000"), netip.MustParseAddrPort("8.8.8.8:5000"), make([]byte, 1000))
	b.ReportAllocs()
	b.SetBytes(1000)
	for b.Loop() {
		device.Inject(packet)
		<-got
	}
}

// BenchmarkForwarderUDPSessions is datagrams that begin a session each.
func BenchmarkForwarderUDPSessions(b *testing.B) {
	var opened atomic.Int64
	done := make(chan struct{}, 1)
	device := tun.NewFunc(1500, nil)
	gw, err := stack.New(stack.Config{Device: device, Addresses: prefixes("10.1.0.1/16")})
	require.NoError(b, err)
	defer gw.Close()
	_, err = gw.NewForwarder(stack.ForwarderConfig{UDP: func(context.Context, *stack.UDPSession) (io.WriteCloser, error) {
		opened.Add(1)
		return writer(func(p []byte) (int, error) { done <- struct{}{}; return len(p), nil }), nil
	}})
	require.NoError(b, err)
	i := 0
	for b.Loop() {
		i++
		device.Inject(simnet.EncodeUDP(netip.AddrPortFrom(netip.AddrFrom4([4]byte{30, byte(i >> 16), byte(i >> 8), byte(i)}), 7), netip.MustParseAddrPort("8.8.8.8:9"), nil))
		<-done
	}
	b.ReportMetric(float64(opened.Load())/b.Elapsed().Seconds(), "sessions/s")
}

// BenchmarkForwarderIdle is the memory of sessions in which nothing happens: in a stack that has
// them, without what is upstream of them.
func BenchmarkForwarderIdle(b *testing.B) {
	const sessions = 2000
	b.Run("UDP", func(b *testing.B) {
		device := tun.NewFunc(1500, nil)
		gw, err := stack.New(stack.Config{Device: device, Addresses: prefixes("10.1.0.1/16")})
		require.NoError(b, err)
		defer gw.Close()
		done := make(chan struct{}, 1)
		_, err = gw.NewForwarder(stack.ForwarderConfig{UDP: func(context.Context, *stack.UDPSession) (io.WriteCloser, error) {
			return writer(func(p []byte) (int, error) { done <- struct{}{}; return len(p), nil }), nil
		}})
		require.NoError(b, err)
		b.ReportMetric(perSession(sessions, func(i int) {
			device.Inject(simnet.EncodeUDP(netip.AddrPortFrom(netip.AddrFrom4([4]byte{30, 0, byte(i >> 8), byte(i)}), 7), netip.MustParseAddrPort("8.8.8.8:9"), make([]byte, 100)))
			<-done
		}), "B/session")
	})
	b.Run("TCP", func(b *testing.B) {
		answers := make(chan []byte, 1)
		device := tun.NewFunc(1500, func(p []byte) { answers <- slices.Clone(p) })
		gw, err := stack.New(stack.Config{Device: device, Addresses: prefixes("10.1.0.1/16")})
		require.NoError(b, err)
		f, err := gw.NewForwarder(stack.ForwarderConfig{Connect: func(context.Context, netip.AddrPort, netip.AddrPort) (any, error) { return nil, nil }})
		require.NoError(b, err)
		var conns []*endpoint.Conn
		b.ReportMetric(perSession(sessions, func(i int) {
			from := netip.AddrPortFrom(netip.MustParseAddr("10.1.0.9"), uint16(1000+i)).String()
			device.Inject(syn(from, "93.184.216.34:80", 7))
			ack := segmentOf(from, "93.184.216.34:80", 8, 0x10)
			copy(ack[28:32], (<-answers)[24:28])
			binary.BigEndian.PutUint32(ack[28:], binary.BigEndian.Uint32(ack[28:])+1)
			device.Inject(again(ack))
			c, _, err := f.AcceptValue()
			require.NoError(b, err)
			conns = append(conns, c)
		}), "B/session")
		go func() {
			for range answers { // RSTs
			}
		}()
		for _, c := range conns {
			c.SetLinger(0)
			c.Close()
		}
		gw.Close()
		close(answers)
	})
}

// perSession is how many bytes of the heap a session takes.
func perSession(sessions int, open func(i int)) float64 {
	for i := range 10 { // what the first ones need for all
		open(i)
	}
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	before := heap()
	for i := range sessions {
		open(10 + i)
	}
	return float64(heap()-before) / float64(sessions)
}
