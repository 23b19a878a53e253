package conform

import (
	"fmt"
	"strings"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/wsa"
)

// keepAliveValsScenarios are KA-20 to KA-25: SIO_KEEPALIVE_VALS.
var keepAliveValsScenarios = []Scenario{
	{ID: "KA-20", Title: "SIO_KEEPALIVE_VALS", Source: "W-KA", Run: func(e *Env) {
		e.silent(1500*time.Millisecond, 250*time.Millisecond, 2, func(s handle, start time.Duration) {
			e.Net.Sleep(time.Minute)
			Equal(e, "probes", e.times("a", start, probeAt(1)), "1.500 1.750")
			Equal(e, "bytes returned", e.stream().ioctl(wsa.SIO_KEEPALIVE_VALS, wsa.TCPKeepalive{OnOff: 1, KeepAliveTime: 1, KeepAliveInterval: 1}.Append(nil), nil), 0)
		})
		e.Notef("milliseconds, no output")
	}},
	{ID: "KA-20", Title: "the bytes of the structure", Source: "W-KA", Run: func(e *Env) {
		link := e.Pair()
		e.Do(func() {
			c := e.cut(link)
			in := []byte{2, 0, 0, 0, 0xDC, 5, 0, 0, 0xFA, 0, 0, 0, 0xEE} // onoff 2, 1500, 250; one byte too many
			out := []byte{1, 2, 3, 4}
			n := c.ioctl(wsa.SIO_KEEPALIVE_VALS, in, out)
			Equal(e, "bytes returned, out", fmt.Sprint(n, out), "0 [1 2 3 4]")
			start := e.Start()
			e.Net.Sleep(2600 * time.Millisecond)
			Equal(e, "probes", e.times("a", start, probeAt(1)), "1.500 1.750 2.000 2.250 2.500")
			Equal(e, "code", uint32(wsa.SIO_KEEPALIVE_VALS), uint32(0x98000004))
		})
		e.Notef("little-endian, any non-zero onoff, no output")
	}},
	{ID: "KA-21", Title: "on, and off again", Source: "W-KA", Run: func(e *Env) {
		e.silent(2*time.Second, 500*time.Millisecond, 100, func(s handle, start time.Duration) {
			s.reads(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
			e.Net.Sleep(2700 * time.Millisecond)
			off := wsa.TCPKeepalive{KeepAliveTime: 9000, KeepAliveInterval: 9000}
			s.as("SIO_KEEPALIVE_VALS off").ioctl(wsa.SIO_KEEPALIVE_VALS, off.Append(nil), nil)
			s.reads(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 0)
			s.reads(wsa.IPPROTO_TCP, wsa.TCP_KEEPIDLE, 2)
			e.Net.Sleep(time.Hour)
			Equal(e, "probes", e.times("a", start, probeAt(1)), "2.000 2.500")
		})
		e.Notef("SO_KEEPALIVE reads 1, then 0; off keeps the times")
	}},
	{ID: "KA-22", Title: "the values last set", Source: "W-KA, W-TCP", Run: func(e *Env) {
		e.silent(2*time.Second, 500*time.Millisecond, 2, func(s handle, _ time.Duration) {
			probes := func(what, want string) {
				s.set(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 0)
				s.set(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
				start := e.Start()
				e.Net.Sleep(4900 * time.Millisecond)
				Equal(e, what, e.times("a", start, probeAt(1)), want)
				s.set(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 0)
			}
			s.keepCount(9)
			probes("as by SIO_KEEPALIVE_VALS", "2.000 2.500 3.000 3.500 4.000 4.500")
			s.set(wsa.IPPROTO_TCP, wsa.TCP_KEEPIDLE, 3)
			probes("as by TCP_KEEPIDLE", "3.000 3.500 4.000 4.500")
			s.set(wsa.IPPROTO_TCP, wsa.TCP_KEEPINTVL, 1)
			probes("as by TCP_KEEPINTVL", "3.000 4.000")
			fresh := e.stream()
			Equal(e, "TCP_KEEPIDLE of another socket", fresh.get(wsa.IPPROTO_TCP, wsa.TCP_KEEPIDLE), 7200)
			Equal(e, "TCP_KEEPINTVL of another socket", fresh.get(wsa.IPPROTO_TCP, wsa.TCP_KEEPINTVL), 1)
		})
		e.Notef("SO_KEEPALIVE TRUE uses the last values, whoever set them; another socket has the defaults")
	}},
	{ID: "KA-23", Title: "the probe count", Source: "W-KA", Run: func(e *Env) {
		e.silent(time.Second, 100*time.Millisecond, 7, func(s handle, start time.Duration) {
			s.keepAliveVals(2*time.Second, 100*time.Millisecond)
			s.keepCounts(7)
			e.Net.Sleep(time.Minute)
			Equal(e, "probes", e.times("a", start, probeAt(1)), "2.000 2.100 2.200 2.300 2.400 2.500 2.600")
			Equal(e, "RST", e.times("a", start, has(trace.RST)), "2.700")
		})
		e.Notef("seven probes, as TCP_KEEPCNT said before")
	}},
	{ID: "KA-24", Title: "before connect, bad and zero values", Source: "OBS, C-36", Run: func(e *Env) {
		link := e.Pair()
		ioctl := func(s handle, in []byte) error { return noCount(e.P.Ioctl(s.s, wsa.SIO_KEEPALIVE_VALS, in, nil)) }
		s := e.stream()
		for _, n := range []int{0, 4, 8, 11} {
			e.Code(fmt.Sprint("cbIn ", n), ioctl(s, make([]byte, n)), wsa.WSAEFAULT)
		}
		e.Code("NULL", ioctl(s, nil), wsa.WSAEFAULT)
		e.Code("a datagram socket", ioctl(e.datagram(), make([]byte, 12)), wsa.WSAENOPROTOOPT)
		e.Code("0, 0, 0", ioctl(s, make([]byte, 12)), 0)
		s.reads(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 0)
		s.keepAliveVals(5*time.Second, 250*time.Millisecond)
		e.Do(func() {
			e.listener(e.Q, 80)
			s.connect(e.Addr(2, 80))
			start := e.Start()
			link.Partition()
			e.Net.Sleep(5600 * time.Millisecond)
			Equal(e, "probes of a socket set before connect", e.times("a", start, probeAt(1)), "5.000 5.250 5.500")
			s.keepAliveVals(0, 250*time.Millisecond)
			Equal(e, "TCP_KEEPIDLE of time 0", s.get(wsa.IPPROTO_TCP, wsa.TCP_KEEPIDLE), 7200)
			s.keepAliveVals(2*time.Second, 0)
			start = e.Start()
			e.Net.Sleep(4500 * time.Millisecond)
			Equal(e, "probes of interval 0", e.times("a", start, probeAt(1)), "2.000 3.000 4.000")
		})
		e.Notef("WSAEFAULT below 12 bytes, WSAENOPROTOOPT on datagrams; 0 stands for 7200 s and 1 s")
	}},
	{ID: "KA-25", Title: "milliseconds in, seconds out", Source: "W-TCP", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.stream()
		s.keepAlive(1500*time.Millisecond, time.Millisecond, 3)
		s.reads(wsa.IPPROTO_TCP, wsa.TCP_KEEPIDLE, 2)
		s.reads(wsa.IPPROTO_TCP, wsa.TCP_KEEPINTVL, 1)
		e.Notef("1500 ms reads 2 s, 1 ms reads 1 s")
	}},
	{ID: "KA-25", Title: "1 ms, and the rounding", Source: "W-TCP", Run: func(e *Env) {
		e.silent(3*time.Millisecond, time.Millisecond, 3, func(s handle, start time.Duration) {
			s.recv(1, wsa.WSAENETRESET)
			Equal(e, "probes", e.times("a", start, probeAt(1)), "0.003 0.004 0.005")
			Equal(e, "RST", e.times("a", start, has(trace.RST)), "0.006")
			fresh := e.stream()
			var got []string
			for _, ms := range []time.Duration{1, 999, 1000, 1001, 4294967295} {
				fresh.keepAliveVals(ms*time.Millisecond, ms*time.Millisecond)
				got = append(got, fmt.Sprint(fresh.get(wsa.IPPROTO_TCP, wsa.TCP_KEEPIDLE), fresh.get(wsa.IPPROTO_TCP, wsa.TCP_KEEPINTVL)))
			}
			Equal(e, "TCP_KEEPIDLE and TCP_KEEPINTVL", strings.Join(got, ", "), "1 1, 1 1, 1 1, 2 2, 4294968 4294968")
		})
		e.Notef("probes at 3, 4 and 5 ms, dropped at 6 ms; 1, 999, 1000, 1001 and 4294967295 ms read 1, 1, 1, 2 and 4294968 s")
	}},
}
