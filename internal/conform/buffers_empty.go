package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// emptyRecv starts an overlapped receive without a buffer.
func (h handle) emptyRecv(flags int32) *provider.Overlapped {
	o := h.recvAsyncFlags(nil, flags)
	return o
}

// buffersEmptyScenarios are BF-22 and BF-23: calls without bytes, and probes of a closed window.
var buffersEmptyScenarios = []Scenario{
	{ID: "BF-22", Title: "sends of nothing", Source: "API-send", Run: func(e *Env) {
		e.connected(func(c, _ handle) {
			e.Net.Sleep(time.Second)
			before := len(e.Segments("a"))
			n := c.sendSome([]byte{}, 0)
			Equal(e, "bytes", n, 0)
			Equal(e, "segments", len(e.Segments("a"))-before, 0)
			server := e.peerDatagram()
			server.bind(e.Any(53))
			e.datagram().sendTo(e.Addr(2, 53), []byte{})
			n = len(server.recv(9))
			Equal(e, "bytes of the datagram", n, 0)
		})
		e.Notef("no segment, but an empty datagram")
	}},
	{ID: "BF-22", Title: "an overlapped receive of nothing waits for data", Source: "API-WSARecv", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			first, all, second := c.emptyRecv(0), c.emptyRecv(wsa.MSG_WAITALL), c.emptyRecv(0)
			taking := c.recvAsync(make([]byte, 9))
			e.Net.Sleep(10 * time.Second)
			for _, o := range []*provider.Overlapped{first, all, second, taking} {
				e.pending("without data", o)
			}
			start := e.Start()
			s.send(3)
			Equal(e, "the first", e.outcome(first), "0 success")
			e.took("time", start, Delay)
			Equal(e, "with MSG_WAITALL", e.outcome(all), "0 success")
			Equal(e, "the second", e.outcome(second), "0 success")
			Equal(e, "behind them, with a buffer", e.outcome(taking), "3 success")
			o := c.emptyRecv(0)
			e.pending("when all is taken", o)
			s.send(5)
			Equal(e, "more data", e.outcome(o), "0 success")
			Equal(e, "data that is there", c.emptyRecv(0).Status(), 0)
			c.recv(5)

			o, ended := c.emptyRecv(0), c.emptyRecv(0)
			e.Check(o.Cancel(), "there was nothing to cancel")
			Equal(e, "cancelled", e.outcome(o), "0 WSA_OPERATION_ABORTED")
			s.shutdown(wsa.SD_SEND)
			Equal(e, "the FIN", e.outcome(ended), "0 success")
			Equal(e, "after it", c.emptyRecv(0).Status(), 0)

			c, s = e.connection()
			o = c.emptyRecv(0)
			s.reset()
			Equal(e, "reset", e.outcome(o), "0 WSAECONNRESET")
			c.as("RecvAsync later").recvAsync(nil, wsa.WSAECONNRESET)
		})
		e.Notef("0 bytes with the data or the FIN, the data is left")
	}},
	{ID: "BF-22", Title: "an overlapped receive of nothing and urgent data", Source: "API-WSARecv", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			urgent, stream := c.emptyRecv(wsa.MSG_OOB), c.emptyRecv(0)
			s.oob("u")
			Equal(e, "MSG_OOB", e.outcome(urgent), "0 success")
			e.Net.Sleep(time.Second)
			e.pending("urgent bytes aren't of the stream", stream)
			Equal(e, "bytes", len(c.as("Recv MSG_OOB").recvFlags(1, wsa.MSG_OOB)), 1)
			s.send(2)
			Equal(e, "data", e.outcome(stream), "0 success")
			c.recv(2)
		})
		e.Notef("the urgent byte completes the one with MSG_OOB, and is left")
	}},
	{ID: "BF-22", Title: "an overlapped receive of nothing and SD_RECEIVE", Source: "C-47", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			o := c.emptyRecv(0)
			c.shutdown(wsa.SD_RECEIVE)
			s.send(5)
			Equal(e, "the next data", e.outcome(o), "0 success")
			e.Net.Sleep(time.Second)
			Equal(e, "RST for data that nobody takes", e.Count("a", has(trace.RST)) > 0, byProfile(e, true, false))
		})
		e.Notef("0 bytes; then %s, as nobody takes the data", byProfile(e, "a RST", "a window that is smaller"))
	}},
	{ID: "BF-22", Title: "recv of nothing on a stream", Source: "API-recv", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			for _, flags := range []int32{0, wsa.MSG_PEEK, wsa.MSG_WAITALL, wsa.MSG_OOB} {
				Equal(e, "bytes", c.as(fmt.Sprintf("Recv, flags %#x", flags)).recvInto(nil, flags), 0)
			}
			s.send(2)
			e.Net.Sleep(time.Second)
			c.as("Recv with data").recvInto(nil, 0)
			c.recv(2)
			c.nonblocking(true)
			c.as("non-blocking").recvInto(nil, 0)
			c.shutdown(wsa.SD_RECEIVE)
			c.as("after SD_RECEIVE").recvInto(nil, 0, wsa.WSAESHUTDOWN)
			e.stream().as("not connected").recvInto(nil, 0, wsa.WSAENOTCONN)
			c, s = e.connection()
			s.reset()
			c.as("reset").recvInto(nil, 0, wsa.WSAECONNRESET)
		})
		e.Notef("0 at once, but for the errors of the state")
	}},
	{ID: "BF-22", Title: "receives of nothing take a datagram", Source: "API-recv", Run: func(e *Env) {
		e.paired(func() {
			d, q := e.datagram(), e.peerDatagram()
			d.bind(e.Any(7))
			send := func(text string) {
				q.sayTo(e.Addr(1, 7), text)
			}
			calls := map[string]func() error{
				"Recv": func() error { return second(e.P.Recv(d.s, nil, 0)) },
				"RecvMsg": func() error {
					m, err := e.P.RecvMsg(d.s, nil, nil, 0)
					Equal(e, "MSG_TRUNC", m.Flags == wsa.MSG_TRUNC, err != nil)
					return err
				},
				"RecvAsync": func() error {
					o := d.emptyRecv(0)
					e.pending("RecvAsync", o)
					return second(o.Wait())
				},
			}
			for _, name := range []string{"Recv", "RecvMsg", "RecvAsync"} {
				for _, text := range []string{"", "lost"} {
					var want wsa.Errno
					if text != "" {
						want = wsa.WSAEMSGSIZE
					}
					start := e.Start()
					e.Go("peer", func() {
						e.Net.Sleep(time.Second)
						send(text)
						send("next")
					})
					e.Code(fmt.Sprintf("%s, datagram %q", name, text), calls[name](), want)
					e.took(name+" waited", start, time.Second+Delay)
					d.recv(4)
				}
			}
			d.nonblocking(true)
			d.as("none, non-blocking").recvInto(nil, 0, wsa.WSAEWOULDBLOCK)
			send("left")
			e.Net.Sleep(time.Second)
			d.as("a peek").recvInto(nil, wsa.MSG_PEEK, wsa.WSAEMSGSIZE)
			d.recv(4)
		})
		e.Notef("they wait for one, and WSAEMSGSIZE says that its bytes are lost")
	}},
	{ID: "BF-22", Title: "sends of nothing in each state", Source: "API-send", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			c.nonblocking(true)
			c.clogged()
			big := c.sendAsync(make([]byte, 1<<20))
			before := len(e.Segments("a"))
			c.as("Send without room").sendSome(nil, 0)
			c.as("Send MSG_OOB").sendSome(nil, wsa.MSG_OOB)
			empty := c.sendAsync(nil)
			e.pending("behind a send without room", empty)
			Equal(e, "segments", len(e.Segments("a"))-before, 0)
			e.Go("reader", func() {
				for n := 1; n > 0; {
					n, _ = e.Q.Recv(s.s, make([]byte, 1<<20), 0)
				}
			})
			Equal(e, "the empty one", e.outcome(empty), "0 success")
			Equal(e, "the one before", big.Status(), 0)
			c.set(wsa.SOL_SOCKET, wsa.SO_SNDBUF, 0)
			c.as("Send with SO_SNDBUF 0").sendSome(nil, 0)
			Equal(e, "SendAsync with SO_SNDBUF 0", c.sendAsync(nil).Status(), 0)
			c.shutdown(wsa.SD_SEND)
			c.as("after SD_SEND").sendSome(nil, 0, wsa.WSAESHUTDOWN)
			e.stream().as("not connected").sendSome(nil, 0, wsa.WSAENOTCONN)

			server, d := e.peerDatagram(), e.datagram()
			server.bind(e.Any(53))
			d.sendMsg(nil, nil, e.Addr(2, 53))
			o, err := e.P.SendToAsync(d.s, nil, 0, e.Addr(2, 53))
			e.Code("SendToAsync", err, 0)
			Equal(e, "outcome", e.outcome(o), "0 success")
			for range 2 {
				Equal(e, "bytes of the datagram", len(server.recv(9)), 0)
			}
		})
		e.Notef("no segment, in order; an empty datagram from each call")
	}},
	{ID: "BF-23", Title: "probes of a closed window", Source: "RFC 1122 4.2.2.17", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.keepAlive(time.Second, time.Second, 1) // which doesn't count (KA-6)
			s.send(1000)
			p.Expect("[P.] seq 1:1001 ack 1")
			e.arrive(p, "[.] ack 1001 win 0")
			s.send(500)
			var at []time.Duration
			for range 8 { // every one is answered: no end to it
				a, err := p.Receive(5 * time.Minute)
				e.Check(err == nil, "no probe: %v", err)
				at = append(at, a.At)
				e.Check(a.Segment.Seq == 1000 && a.Segment.Len <= 1, "not a probe: %s", a.Text)
				p.Send("[.] ack 1001 win 0")
			}
			for i := 2; i < len(at); i++ {
				e.Check(at[i]-at[i-1] >= at[i-1]-at[i-2], "intervals don't grow: %v", at)
			}
			e.Check(at[7]-at[6] > 10*time.Second, "intervals don't grow: %v", at)
			p.Send("[.] ack 1001 win 65535")
			p.Expect("[P.] seq 1001:1501 ack 1")
		})
		e.Notef("eight answered probes at growing intervals, then the data")
	}},
}
