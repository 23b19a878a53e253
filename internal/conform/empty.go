package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/wsa"
)

func init() { bfScenarios = append(bfScenarios, emptyBuffers...) }

// emptyRecv starts an overlapped receive without a buffer.
func (e *Env) emptyRecv(s wsa.SOCKET, flags int32) *provider.Overlapped {
	o, err := e.P.RecvAsync(s, nil, flags)
	e.Code("RecvAsync", err, 0)
	return o
}

// emptyBuffers are calls with buffers of no bytes.
var emptyBuffers = []Scenario{
	{ID: "BF-22", Title: "an overlapped receive of nothing waits for data", Source: "API-WSARecv", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			first, all, second := e.emptyRecv(c, 0), e.emptyRecv(c, wsa.MSG_WAITALL), e.emptyRecv(c, 0)
			taking := e.recvAsync(c, make([]byte, 9))
			e.Net.Sleep(10 * time.Second)
			for _, o := range []*provider.Overlapped{first, all, second, taking} {
				e.pending("without data", o)
			}
			start := e.Start()
			e.sendFrom(e.Q, s, 3)
			Equal(e, "the first", e.outcome(first), "0 success")
			Equal(e, "time", (e.Net.Now() - start).Round(time.Millisecond), Delay)
			Equal(e, "with MSG_WAITALL", e.outcome(all), "0 success")
			Equal(e, "the second", e.outcome(second), "0 success")
			Equal(e, "behind them, with a buffer", e.outcome(taking), "3 success")
			o := e.emptyRecv(c, 0)
			e.pending("when all is taken", o)
			e.sendFrom(e.Q, s, 5)
			Equal(e, "more data", e.outcome(o), "0 success")
			Equal(e, "data that is there", e.emptyRecv(c, 0).Status(), 0)
			e.recvOn(e.P, c, 5, 0)

			o, ended := e.emptyRecv(c, 0), e.emptyRecv(c, 0)
			e.Check(o.Cancel(), "there was nothing to cancel")
			Equal(e, "cancelled", e.outcome(o), "0 WSA_OPERATION_ABORTED")
			e.Code("Shutdown", e.Q.Shutdown(s, wsa.SD_SEND), 0)
			Equal(e, "the FIN", e.outcome(ended), "0 success")
			Equal(e, "after it", e.emptyRecv(c, 0).Status(), 0)

			c, s = e.Connected()
			o = e.emptyRecv(c, 0)
			e.resetBy(s)
			Equal(e, "reset", e.outcome(o), "0 WSAECONNRESET")
			_, err := e.P.RecvAsync(c, nil, 0)
			e.Code("RecvAsync later", err, wsa.WSAECONNRESET)
		})
		e.Notef("0 bytes with the data or the FIN, the data is left")
	}},
	{ID: "BF-22", Title: "an overlapped receive of nothing and urgent data", Source: "API-WSARecv", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			urgent, stream := e.emptyRecv(c, wsa.MSG_OOB), e.emptyRecv(c, 0)
			_, err := e.Q.Send(s, []byte("u"), wsa.MSG_OOB)
			e.Code("Send", err, 0)
			Equal(e, "MSG_OOB", e.outcome(urgent), "0 success")
			e.Net.Sleep(time.Second)
			e.pending("urgent bytes aren't of the stream", stream)
			n, err := e.P.Recv(c, make([]byte, 1), wsa.MSG_OOB)
			e.Code("Recv MSG_OOB", err, 0)
			Equal(e, "bytes", n, 1)
			e.sendFrom(e.Q, s, 2)
			Equal(e, "data", e.outcome(stream), "0 success")
			e.recvOn(e.P, c, 2, 0)
		})
		e.Notef("the urgent byte completes the one with MSG_OOB, and is left")
	}},
	{ID: "BF-22", Title: "an overlapped receive of nothing and SD_RECEIVE", Source: "C-47", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			o := e.emptyRecv(c, 0)
			e.Code("Shutdown", e.P.Shutdown(c, wsa.SD_RECEIVE), 0)
			e.sendFrom(e.Q, s, 5)
			Equal(e, "the next data", e.outcome(o), "0 success")
			e.Net.Sleep(time.Second)
			e.Check(e.Count("a", has(trace.RST)) > 0, "no RST for data that nobody takes")
		})
		e.Notef("0 bytes; then a RST, as nobody takes the data")
	}},
	{ID: "BF-22", Title: "recv of nothing on a stream", Source: "API-recv", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			for _, flags := range []int32{0, wsa.MSG_PEEK, wsa.MSG_WAITALL, wsa.MSG_OOB} {
				n, err := e.P.Recv(c, nil, flags)
				e.Code(fmt.Sprintf("Recv, flags %#x", flags), err, 0)
				Equal(e, "bytes", n, 0)
			}
			e.sendFrom(e.Q, s, 2)
			e.Net.Sleep(time.Second)
			_, err := e.P.Recv(c, nil, 0)
			e.Code("Recv with data", err, 0)
			e.recvOn(e.P, c, 2, 0)
			e.Nonblocking(e.P, c, true)
			_, err = e.P.Recv(c, nil, 0)
			e.Code("non-blocking", err, 0)
			e.Code("Shutdown", e.P.Shutdown(c, wsa.SD_RECEIVE), 0)
			_, err = e.P.Recv(c, nil, 0)
			e.Code("after SD_RECEIVE", err, wsa.WSAESHUTDOWN)
			_, err = e.P.Recv(e.Stream(), nil, 0)
			e.Code("not connected", err, wsa.WSAENOTCONN)
			c, s = e.Connected()
			e.resetBy(s)
			_, err = e.P.Recv(c, nil, 0)
			e.Code("reset", err, wsa.WSAECONNRESET)
		})
		e.Notef("0 at once, but for the errors of the state")
	}},
	{ID: "BF-22", Title: "receives of nothing take a datagram", Source: "API-recv", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			d, q := e.Datagram(), e.Socket(e.Q, wsa.SOCK_DGRAM)
			e.Code("Bind", e.P.Bind(d, e.Any(7)), 0)
			send := func(text string) {
				_, err := e.Q.SendTo(q, []byte(text), 0, e.Addr(1, 7))
				e.Code("SendTo", err, 0)
			}
			calls := map[string]func() error{
				"Recv": func() error { return second(e.P.Recv(d, nil, 0)) },
				"RecvMsg": func() error {
					m, err := e.P.RecvMsg(d, nil, nil, 0)
					Equal(e, "MSG_TRUNC", m.Flags == wsa.MSG_TRUNC, err != nil)
					return err
				},
				"RecvAsync": func() error {
					o := e.emptyRecv(d, 0)
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
					Equal(e, name+" waited", (e.Net.Now() - start).Round(time.Millisecond), time.Second+Delay)
					e.recvOn(e.P, d, 4, 0)
				}
			}
			e.Nonblocking(e.P, d, true)
			_, err := e.P.Recv(d, nil, 0)
			e.Code("none, non-blocking", err, wsa.WSAEWOULDBLOCK)
			send("left")
			e.Net.Sleep(time.Second)
			_, err = e.P.Recv(d, nil, wsa.MSG_PEEK)
			e.Code("a peek", err, wsa.WSAEMSGSIZE)
			e.recvOn(e.P, d, 4, 0)
		})
		e.Notef("they wait for one, and WSAEMSGSIZE says that its bytes are lost")
	}},
	{ID: "BF-22", Title: "sends of nothing in each state", Source: "API-send", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			e.Nonblocking(e.P, c, true)
			e.clogged(c)
			big := e.sendAsync(c, make([]byte, 1<<20))
			before := len(e.Segments("a"))
			_, err := e.P.Send(c, nil, 0)
			e.Code("Send without room", err, 0)
			_, err = e.P.Send(c, nil, wsa.MSG_OOB)
			e.Code("Send MSG_OOB", err, 0)
			empty := e.sendAsync(c, nil)
			e.pending("behind a send without room", empty)
			Equal(e, "segments", len(e.Segments("a"))-before, 0)
			e.Go("reader", func() {
				for n := 1; n > 0; {
					n, _ = e.Q.Recv(s, make([]byte, 1<<20), 0)
				}
			})
			Equal(e, "the empty one", e.outcome(empty), "0 success")
			Equal(e, "the one before", big.Status(), 0)
			e.Set(e.P, c, wsa.SOL_SOCKET, wsa.SO_SNDBUF, 0)
			_, err = e.P.Send(c, nil, 0)
			e.Code("Send with SO_SNDBUF 0", err, 0)
			Equal(e, "SendAsync with SO_SNDBUF 0", e.sendAsync(c, nil).Status(), 0)
			e.Code("Shutdown", e.P.Shutdown(c, wsa.SD_SEND), 0)
			_, err = e.P.Send(c, nil, 0)
			e.Code("after SD_SEND", err, wsa.WSAESHUTDOWN)
			_, err = e.P.Send(e.Stream(), nil, 0)
			e.Code("not connected", err, wsa.WSAENOTCONN)

			server, d := e.Socket(e.Q, wsa.SOCK_DGRAM), e.Datagram()
			e.Code("Bind", e.Q.Bind(server, e.Any(53)), 0)
			_, err = e.P.SendMsg(d, nil, nil, 0, e.Addr(2, 53))
			e.Code("SendMsg", err, 0)
			o, err := e.P.SendToAsync(d, nil, 0, e.Addr(2, 53))
			e.Code("SendToAsync", err, 0)
			Equal(e, "outcome", e.outcome(o), "0 success")
			for range 2 {
				n, err := e.Q.Recv(server, make([]byte, 9), 0)
				e.Code("Recv", err, 0)
				Equal(e, "bytes of the datagram", n, 0)
			}
		})
		e.Notef("no segment, in order; an empty datagram from each call")
	}},
}
