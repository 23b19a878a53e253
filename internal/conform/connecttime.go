package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// untimed reads SO_CONNECT_TIME of a socket that has no connection, as the next call is named.
func (h handle) untimed() {
	b, n := []byte{1, 2, 3, 4}, int32(4)
	h.getBytes(wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME, b, &n, byProfile(h.e, wsa.WSAENOTCONN, 0)) // C-01
	Equal(h.e, h.what+": optval and *optlen", fmt.Sprint(b, n), "[255 255 255 255] 4")
}

// untimedSays is the evidence of untimed.
func untimedSays(e *Env) string { return byProfile(e, "WSAENOTCONN and 0xFFFFFFFF", "0xFFFFFFFF") }

// connectTimeScenarios are CT-1 to CT-7: SO_CONNECT_TIME.
var connectTimeScenarios = []Scenario{
	{ID: "CT-1", Title: "whole seconds since established", Source: "S-API", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			established := e.Net.Now() - Delay // the server's third ACK came just now
			for _, at := range []time.Duration{500 * time.Millisecond, 985 * time.Millisecond, 2500 * time.Millisecond} {
				e.Net.Sleep(established + at - e.Net.Now())
				want := uint32(at / time.Second)
				Equal(e, fmt.Sprintf("the client's at %v", at), c.get(wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), want)
				Equal(e, fmt.Sprintf("the server's at %v", at), s.get(wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), want)
			}
			// The client is established one way earlier than the server.
			e.Net.Sleep(established + 2995*time.Millisecond + Delay/2 - e.Net.Now())
			Equal(e, "the client's at 3.000 s", c.get(wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), 3)
			Equal(e, "the server's at 2.990 s", s.get(wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), 2)
		})
		e.Notef("0 in the first second, 2 at 2.5 s; the client is a one-way delay ahead")
	}},
	{ID: "CT-2", Title: "not connected", Source: "S-API, C-01", Run: func(e *Env) {
		e.Pair()
		s := e.stream()
		s.as("fresh").untimed()
		s.bind(e.Any(0))
		s.as("bound").untimed()
		s.listen(1)
		s.as("listening").untimed()
		c := e.stream()
		c.nonblocking(true)
		c.connect(e.Addr(2, 80), wsa.WSAEWOULDBLOCK)
		c.as("connecting").untimed()
		e.Notef("%s in four states", untimedSays(e))
	}},
	{ID: "CT-3", Title: "SO_CONNECT_TIME before the context update", Source: "API-AcceptEx", Run: func(e *Env) {
		e.Pair(simnet.Delay(time.Second))
		e.Do(func() {
			l, a, c := e.listener(e.P, 80), e.stream(), e.peerStream()
			o := l.acceptEx(a, nil)
			c.bind(e.Any(0))
			connect := c.connectEx(e.Addr(1, 80), nil)
			c.as("pending").untimed()
			Equal(e, "ConnectEx", e.outcome(connect), "0 success")
			Equal(e, "AcceptEx", e.outcome(o), "0 success")
			Equal(e, "at once", a.get(wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), 0)
			e.Net.Sleep(2500 * time.Millisecond)
			Equal(e, "accepted", a.get(wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), 2)
			Equal(e, "connected", c.get(wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), 3)
		})
		e.Notef("%s while pending, then whole seconds", untimedSays(e))
	}},
	{ID: "CT-4", Title: "traffic changes nothing", Source: "S-API", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			for range 20 {
				c.send(100)
				s.recvFlags(100, wsa.MSG_WAITALL)
				e.Net.Sleep(500 * time.Millisecond)
			}
			c.reads(wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME, 10)
		})
		e.Notef("10 s with data every half second")
	}},
	{ID: "CT-5", Title: "closed and dropped", Source: "S-API", Run: func(e *Env) {
		link := e.Pair()
		e.Do(func() {
			c, s := e.connection()
			c.shutdown(wsa.SD_SEND)
			e.Net.Sleep(2500 * time.Millisecond)
			Equal(e, "half-closed", c.get(wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), 2)
			s.shutdown(wsa.SD_SEND)
			e.Net.Sleep(5 * time.Minute) // TIME-WAIT is over
			c.as("closed by both sides").untimed()
			c, _ = e.connection()
			e.Net.Sleep(time.Second)
			link.Partition()
			c.keepAlive(time.Second, time.Second, 1)
			e.Net.Sleep(2*time.Second - time.Millisecond)
			Equal(e, "1 ms before the drop", c.get(wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), 3)
			e.Net.Sleep(2 * time.Millisecond)
			c.as("dropped").untimed()
		})
		e.Notef("counts while half-closed; %s when both have closed, and after a drop", untimedSays(e))
	}},
	{ID: "CT-5", Title: "half-closed counts, ended doesn't", Source: "S-API", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			c.shutdown(wsa.SD_SEND)
			e.Net.Sleep(5 * time.Second)
			Equal(e, "FIN_WAIT_2", c.get(wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), 5)
			Equal(e, "CLOSE_WAIT", s.get(wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), 5)
			s.reset()
			c.as("reset").untimed()
		})
		e.Notef("5 in FIN_WAIT_2 and CLOSE_WAIT, %s after a reset", untimedSays(e))
	}},
	{ID: "CT-6", Title: "datagram sockets", Source: "S-API, C-01", Profiles: documentedOnly,
		Why: "C-01: in Windows SO_CONNECT_TIME is 0xFFFFFFFF on datagram sockets", Once: true, Run: func(e *Env) {
			e.Pair()
			e.datagram().get(wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME, wsa.WSAENOPROTOOPT)
			e.Notef("WSAENOPROTOOPT")
		}},
	{ID: "CT-6", Title: "datagram sockets as measured", Source: "OBS, C-01", Profiles: measured, Why: "C-01: the pages have WSAENOPROTOOPT", Run: func(e *Env) {
		e.Pair()
		u := e.datagram()
		u.connect(e.Addr(2, 9))
		Equal(e, "connected", u.get(wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), 0xFFFFFFFF)
		e.Notef("0xFFFFFFFF, connected or not")
	}},
	{ID: "CT-7", Title: "accepted but silent", Source: "API-AcceptEx", Run: func(e *Env) {
		e.connected(func(_, s handle) {
			e.Net.Sleep(3600 * time.Second)
			s.reads(wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME, 3600)
		})
		e.Notef("3600 s without a byte of data")
	}},
}
