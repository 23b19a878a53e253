package conform

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// outcome waits for an operation and shows it: bytes and code.
func (e *Env) outcome(o *provider.Overlapped) string {
	n, err := o.Wait()
	code, _ := err.(wsa.Errno)
	return fmt.Sprint(n, " ", name(code))
}

// recvAsync and sendAsync start operations on A.
func (e *Env) recvAsync(s wsa.SOCKET, buf []byte) *provider.Overlapped {
	o, err := e.P.RecvAsync(s, buf, 0)
	e.Code("RecvAsync", err, 0)
	return o
}

func (e *Env) sendAsync(s wsa.SOCKET, buf []byte) *provider.Overlapped {
	o, err := e.P.SendAsync(s, buf, 0)
	e.Code("SendAsync", err, 0)
	return o
}

func (e *Env) pending(what string, o *provider.Overlapped) {
	_, err := o.Result()
	e.Code(what, err, wsa.WSA_IO_INCOMPLETE)
}

func init() {
	lgScenarios = append(lgScenarios, overlappedScenarios...)
}

var overlappedScenarios = []Scenario{
	{ID: "LG-19", Title: "closesocket aborts overlapped operations", Source: "API-closesocket", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, _ := e.Connected()
			e.Nonblocking(e.P, c, true)
			e.filled(c)
			recv, send := e.recvAsync(c, make([]byte, 1)), e.sendAsync(c, make([]byte, 1<<20))
			l, fresh := e.Listener(e.P, 81), e.Stream()
			accept, err := e.P.AcceptEx(l, fresh, nil)
			e.Code("AcceptEx", err, 0)
			e.pending("recv", recv)
			e.pending("send", send)
			e.pending("accept", accept)
			e.Linger(e.P, c, 0)
			e.Code("CloseSocket", e.P.CloseSocket(c), 0)
			e.Code("CloseSocket of the listener", e.P.CloseSocket(l), 0)
			for what, o := range map[string]*provider.Overlapped{"recv": recv, "send": send, "accept": accept} {
				Equal(e, what, e.outcome(o), "0 WSA_OPERATION_ABORTED")
				Equal(e, what+", native", o.Status(), 995)
			}
			again := e.Listener(e.P, 82)
			accept, err = e.P.AcceptEx(again, fresh, nil)
			e.Code("AcceptEx with the same socket", err, 0)
			e.Code("CloseSocket of the accept socket", e.P.CloseSocket(fresh), 0)
			Equal(e, "accept", e.outcome(accept), "0 WSA_OPERATION_ABORTED")
			e.Code("Connect", e.Q.Connect(e.Socket(e.Q, wsa.SOCK_STREAM), e.Addr(1, 82)), 0)
			_, _, err = e.P.Accept(again) // the aborted operation takes no connection
			e.Code("Accept", err, 0)
		})
		e.Notef("995 for recv, send and AcceptEx")
	}},
	{ID: "KA-31", Title: "overlapped operations and a drop", Source: "S-GET", Run: func(e *Env) {
		e.silent(10*time.Second, time.Second, 3, func(s wsa.SOCKET, start time.Duration) {
			ops := []*provider.Overlapped{e.recvAsync(s, make([]byte, 1)), e.recvAsync(s, make([]byte, 1))}
			for _, o := range ops { // KA-35: all of them
				Equal(e, "in progress", e.outcome(o), "0 WSAENETRESET")
				Equal(e, "drop", (e.Net.Now() - start).Round(time.Millisecond), 13*time.Second)
			}
			_, err := e.P.RecvAsync(s, make([]byte, 1), 0)
			e.Code("RecvAsync later", err, wsa.WSAENOTCONN)
			_, err = e.P.SendAsync(s, make([]byte, 1), 0)
			e.Code("SendAsync later", err, wsa.WSAENOTCONN)
			_, err = e.P.ConnectEx(s, e.Addr(2, 80), nil)
			e.Code("ConnectEx later", err, wsa.WSAENOTCONN)
		})
		e.Notef("WSAENETRESET for all in progress, WSAENOTCONN for later starts")
	}},
	{ID: "RS-1", Title: "overlapped receive and a reset", Source: "W-ERR", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			o := e.recvAsync(c, make([]byte, 1))
			e.resetBy(s)
			Equal(e, "outcome", e.outcome(o), "0 WSAECONNRESET")
			Equal(e, "native", o.Status(), wsa.ERROR_NETNAME_DELETED)
			_, err := e.P.RecvAsync(c, make([]byte, 1), 0)
			e.Code("RecvAsync later", err, wsa.WSAECONNRESET)
		})
		e.Notef("WSAECONNRESET, native 64")
	}},
	{ID: "ND-2", Title: "overlapped operations when the stack goes down", Source: "W-ERR", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, _ := e.Connected()
			o := e.recvAsync(c, make([]byte, 1))
			e.Check(e.A.Close() == nil, "Close failed")
			Equal(e, "outcome", e.outcome(o), "0 WSAENETDOWN")
			_, err := e.P.RecvAsync(c, make([]byte, 1), 0)
			e.Code("RecvAsync later", err, wsa.WSAENETDOWN)
		})
		e.Notef("WSAENETDOWN")
	}},
	{ID: "TO-5", Title: "overlapped operations ignore the time-outs", Source: "observed", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			e.Set(e.P, c, wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 100)
			e.Set(e.P, c, wsa.SOL_SOCKET, wsa.SO_SNDTIMEO, 100)
			buf := make([]byte, 9)
			first, second := e.recvAsync(c, buf), e.recvAsync(c, make([]byte, 9))
			e.Net.Sleep(10 * time.Second)
			e.pending("after 10 s", first)
			e.sendFrom(e.Q, s, 3)
			Equal(e, "first", e.outcome(first), "3 success") // in order
			e.pending("the second", second)
			e.sendFrom(e.Q, s, 4)
			Equal(e, "second", e.outcome(second), "4 success")
			e.Nonblocking(e.P, c, true)
			e.clogged(c)
			o := e.sendAsync(c, make([]byte, 100<<10))
			e.Net.Sleep(10 * time.Second)
			e.pending("a send without room, after 10 s", o)
			e.Go("reader", func() {
				for range 1000 {
					if n, err := e.Q.Recv(s, make([]byte, 1<<20), 0); n == 0 || err != nil {
						return
					}
				}
			})
			Equal(e, "send", e.outcome(o), "102400 success")
			e.Linger(e.P, c, 0)
			e.Code("CloseSocket", e.P.CloseSocket(c), 0)
		})
		e.Notef("pending after 10 s with time-outs of 100 ms; receives complete in order")
	}},
	{ID: "TO-6", Title: "without the overlapped attribute", Source: "W-SOL", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			l := e.Listener(e.Q, 80)
			c, err := e.P.SocketEx(e.Family, wsa.SOCK_STREAM, 0, 0, 0)
			e.Code("SocketEx", err, 0)
			e.Set(e.P, c, wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 100)
			e.Code("Connect", e.P.Connect(c, e.Addr(2, 80)), 0)
			s, _, err := e.Q.Accept(l)
			e.Code("Accept", err, 0)
			start := e.Start()
			e.Go("send", func() {
				e.Net.Sleep(5 * time.Second)
				e.sendFrom(e.Q, s, 1)
			})
			e.recvOn(e.P, c, 1, 0)
			e.Check(e.Net.Now()-start > 5*time.Second, "Recv returned after %v", e.Net.Now()-start)
			_, err = e.P.RecvAsync(c, make([]byte, 1), 0)
			e.Code("RecvAsync", err, wsa.WSAEINVAL)

			pl, err := e.P.SocketEx(e.Family, wsa.SOCK_STREAM, 0, 0, 0) // accepted sockets are the same
			e.Code("SocketEx", err, 0)
			e.Code("Bind", e.P.Bind(pl, e.Any(81)), 0)
			e.Set(e.P, pl, wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 100)
			e.Code("Listen", e.P.Listen(pl, 5), 0)
			q := e.Socket(e.Q, wsa.SOCK_STREAM)
			e.Code("Connect", e.Q.Connect(q, e.Addr(1, 81)), 0)
			a, _, err := e.P.Accept(pl)
			e.Code("Accept", err, 0)
			e.Go("send", func() {
				e.Net.Sleep(5 * time.Second)
				e.sendFrom(e.Q, q, 1)
			})
			e.recvOn(e.P, a, 1, 0)
			d, err := e.P.SocketEx(e.Family, wsa.SOCK_DGRAM, 0, 0, 0)
			e.Code("SocketEx", err, 0)
			e.Set(e.P, d, wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 100)
			e.Code("Bind", e.P.Bind(d, e.Any(7)), 0)
			e.Go("send", func() {
				e.Net.Sleep(5 * time.Second)
				_, err := e.Q.SendTo(e.Socket(e.Q, wsa.SOCK_DGRAM), []byte("x"), 0, e.Addr(1, 7))
				e.Code("SendTo", err, 0)
			})
			e.recvOn(e.P, d, 1, 0)
		})
		e.Notef("SO_RCVTIMEO 100 ms is stored, the recv waits 5 s for data")
	}},
	{ID: "BF-9", Title: "an overlapped send with SO_SNDBUF 0", Source: "W-SOL", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, _ := e.Connected()
			e.Set(e.P, c, wsa.SOL_SOCKET, wsa.SO_SNDBUF, 0)
			start := e.Start()
			first, second := e.sendAsync(c, make([]byte, 10)), e.sendAsync(c, make([]byte, 20))
			e.Net.Sleep(2*Delay - time.Millisecond)
			e.pending("1 ms before the ACK", first)
			Equal(e, "first", e.outcome(first), "10 success")
			Equal(e, "first, time", (e.Net.Now() - start).Round(time.Millisecond), 2*Delay)
			Equal(e, "second", e.outcome(second), "20 success")
			Equal(e, "second, time", (e.Net.Now() - start).Round(time.Millisecond), 4*Delay)
			e.Set(e.P, c, wsa.SOL_SOCKET, wsa.SO_SNDBUF, 4096)
			e.Check(e.sendAsync(c, make([]byte, 10)).Status() == 0, "with a buffer it isn't done at once")
		})
		e.Notef("completes on the ACK, one round trip each")
	}},
	{ID: "SH-2", Title: "a pending overlapped receive takes the next data", Source: "C-47", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			o := e.recvAsync(c, make([]byte, 9))
			e.Code("Shutdown", e.P.Shutdown(c, wsa.SD_RECEIVE), 0)
			_, err := e.P.RecvAsync(c, make([]byte, 1), 0)
			e.Code("RecvAsync after it", err, wsa.WSAESHUTDOWN)
			e.sendFrom(e.Q, s, 5)
			Equal(e, "the pending one", e.outcome(o), "5 success")
			e.Net.Sleep(time.Second)
			Equal(e, "RST", e.Count("a", has(trace.RST)), 0)
			e.sendFrom(e.Q, s, 5)
			e.Net.Sleep(time.Second)
			Equal(e, "RST for data that nobody takes", e.Count("a", has(trace.RST)) > 0, true)
		})
		e.Notef("5 bytes, no RST; a RST for the next ones")
	}},
	{ID: "IN-5", Title: "AcceptEx", Source: "API-AcceptEx", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			l, a := e.Listener(e.P, 80), e.Stream()
			e.Set(e.P, l, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
			for what, err := range map[string]error{
				"into a bound socket": second(e.P.AcceptEx(l, e.bound(0), nil)),
				"not listening":       second(e.P.AcceptEx(e.Stream(), a, nil)),
				"a datagram socket":   second(e.P.AcceptEx(l, e.Datagram(), nil)),
				"into itself":         second(e.P.AcceptEx(l, l, nil)),
			} {
				e.Code(what, err, wsa.WSAEINVAL)
			}
			buf := make([]byte, 9)
			o, err := e.P.AcceptEx(l, a, buf)
			e.Code("AcceptEx", err, 0)
			e.Code("twice", second(e.P.AcceptEx(l, a, nil)), wsa.WSAEINVAL)
			e.Code("SO_CONNECT_TIME, pending", second(get(e.P, a, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME)), wsa.WSAENOTCONN)
			c := e.Socket(e.Q, wsa.SOCK_STREAM)
			e.Code("Connect", e.Q.Connect(c, e.Addr(1, 80)), 0)
			e.Net.Sleep(2500 * time.Millisecond)
			e.pending("connected, without data", o)
			Equal(e, "SO_CONNECT_TIME", e.Get(e.P, a, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), 2)
			e.sendFrom(e.Q, c, 4)
			Equal(e, "with the first data", e.outcome(o), "4 success")

			Equal(e, "SO_KEEPALIVE", e.Get(e.P, a, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE), 0)
			_, err = e.P.GetPeerName(a)
			e.Code("GetPeerName", err, wsa.WSAENOTCONN)
			_, err = e.P.GetSockName(a)
			e.Code("GetSockName", err, wsa.WSAEINVAL)
			e.Code("Shutdown", e.P.Shutdown(a, wsa.SD_SEND), wsa.WSAENOTCONN)
			e.send(a, 3)
			e.recvOn(e.Q, c, 3, 0)
			e.sendFrom(e.Q, c, 3)
			e.recvOn(e.P, a, 3, 0)

			e.Code("another listener", e.P.SetSockOpt(a, wsa.SOL_SOCKET, wsa.SO_UPDATE_ACCEPT_CONTEXT, handleBytes(a), 8), wsa.WSAENOTSOCK)
			e.Code("SO_UPDATE_ACCEPT_CONTEXT", e.P.SetSockOpt(a, wsa.SOL_SOCKET, wsa.SO_UPDATE_ACCEPT_CONTEXT, handleBytes(l), 8), 0)
			Equal(e, "SO_KEEPALIVE", e.Get(e.P, a, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE), 1)
			peer, err := e.P.GetPeerName(a)
			e.Code("GetPeerName", err, 0)
			local, err := e.Q.GetSockName(c)
			e.Code("the peer's GetSockName", err, 0)
			Equal(e, "peer", peer, local)
			_, err = e.P.GetSockName(a)
			e.Code("GetSockName", err, 0)
			e.Code("Shutdown", e.P.Shutdown(a, wsa.SD_SEND), 0)
			e.recvOn(e.Q, c, 1, 0)
		})
		e.Notef("done with the first data; options, names and shutdown after SO_UPDATE_ACCEPT_CONTEXT")
	}},
	{ID: "IN-5", Title: "the socket of a pending AcceptEx is taken", Source: "API-AcceptEx", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			l, other, a := e.Listener(e.P, 80), e.Listener(e.P, 81), e.Stream()
			e.Listener(e.Q, 80)
			buf := make([]byte, 9)
			o, err := e.P.AcceptEx(l, a, buf)
			e.Code("AcceptEx", err, 0)
			for _, nonblocking := range []bool{false, true} {
				e.Nonblocking(e.P, a, nonblocking)
				e.Code("Bind", e.P.Bind(a, e.Any(0)), wsa.WSAEINVAL)
				e.Code("Connect", e.P.Connect(a, e.Addr(2, 80)), wsa.WSAEINVAL)
				e.Code("Connect, NULL", e.P.Connect(a, netip.AddrPort{}), wsa.WSAEFAULT)
				e.Code("ConnectEx", second(e.P.ConnectEx(a, e.Addr(2, 80), nil)), wsa.WSAEINVAL)
				e.Code("Listen", e.P.Listen(a, 5), wsa.WSAEINVAL)
				e.Code("AcceptEx of another listener", second(e.P.AcceptEx(other, a, nil)), wsa.WSAEINVAL)
				e.Code("AcceptEx on it", second(e.P.AcceptEx(a, e.Stream(), nil)), wsa.WSAEINVAL)
			}
			c := e.Socket(e.Q, wsa.SOCK_STREAM)
			e.Code("the client's Connect", e.Q.Connect(c, e.Addr(1, 80)), 0)
			e.Net.Sleep(time.Second)
			e.Code("Bind, while data is awaited", e.P.Bind(a, e.Any(0)), wsa.WSAEINVAL)
			e.Code("Connect, while data is awaited", e.P.Connect(a, e.Addr(2, 80)), wsa.WSAEINVAL)
			e.sendFrom(e.Q, c, 4)
			Equal(e, "outcome", e.outcome(o), "4 success")
			Equal(e, "RST", e.Count("a", has(trace.RST)), 0)
			Equal(e, "SYNs", e.Count("a", func(l simnet.Line) bool { return l.Segment.Flags == trace.SYN }), 0)

			for _, then := range []func(s wsa.SOCKET) error{
				func(s wsa.SOCKET) error { return e.P.Bind(s, e.Any(0)) },
				func(s wsa.SOCKET) error { return e.P.Connect(s, e.Addr(2, 80)) },
				func(s wsa.SOCKET) error { return second(e.P.AcceptEx(other, s, nil)) },
			} {
				s := e.Stream()
				o, err = e.P.AcceptEx(l, s, nil)
				e.Code("AcceptEx", err, 0)
				e.Check(o.Cancel(), "there was nothing to cancel")
				e.Code("a call after Cancel", then(s), 0)
			}
		})
		e.Notef("bind, connect, ConnectEx and listen are WSAEINVAL and the accept goes on; Cancel frees the socket")
	}},
	{ID: "IN-5", Title: "AcceptEx without a buffer", Source: "API-AcceptEx", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			l := e.Listener(e.P, 80)
			var ops []*provider.Overlapped
			for range 2 {
				o, err := e.P.AcceptEx(l, e.Stream(), nil)
				e.Code("AcceptEx", err, 0)
				ops = append(ops, o)
			}
			start := e.Start()
			for _, o := range ops {
				e.Code("Connect", e.Q.Connect(e.Socket(e.Q, wsa.SOCK_STREAM), e.Addr(1, 80)), 0)
				Equal(e, "outcome", e.outcome(o), "0 success")
			}
			Equal(e, "time", (e.Net.Now() - start).Round(time.Millisecond), 6*Delay)
		})
		e.Notef("done when connected, in order")
	}},
	{ID: "RU-12", Title: "a connection of AcceptEx", Source: "W-EXCL", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			exclusive := func() wsa.SOCKET {
				s := e.Stream()
				e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_EXCLUSIVEADDRUSE, 1)
				return s
			}
			l, a := exclusive(), e.Stream()
			e.Code("Bind", e.P.Bind(l, e.Any(80)), 0)
			e.Code("Listen", e.P.Listen(l, 5), 0)
			o, err := e.P.AcceptEx(l, a, nil)
			e.Code("AcceptEx", err, 0)
			c := e.Socket(e.Q, wsa.SOCK_STREAM)
			e.Code("Connect", e.Q.Connect(c, e.Addr(1, 80)), 0)
			Equal(e, "outcome", e.outcome(o), "0 success")
			e.Code("CloseSocket of the listener", e.P.CloseSocket(l), 0)
			e.Code("Bind while it is connected", e.P.Bind(exclusive(), e.Any(80)), wsa.WSAEADDRINUSE)
			e.Linger(e.P, a, 0)
			e.Code("CloseSocket", e.P.CloseSocket(a), 0)
			e.Net.Sleep(time.Second)
			e.Code("Bind when it is closed", e.P.Bind(exclusive(), e.Any(80)), 0)
		})
		e.Notef("holds the exclusive port until it is closed")
	}},
	{ID: "IN-6", Title: "ConnectEx", Source: "API-ConnectEx", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			l, c := e.Listener(e.Q, 80), e.Stream()
			e.Code("unbound", second(e.P.ConnectEx(c, e.Addr(2, 80), nil)), wsa.WSAEINVAL)
			c = e.bound(0)
			e.Set(e.P, c, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
			o, err := e.P.ConnectEx(c, e.Addr(2, 80), []byte("hello"))
			e.Code("ConnectEx", err, 0)
			e.Code("Connect while pending", e.P.Connect(c, e.Addr(2, 80)), wsa.WSAEINVAL)
			e.Code("SO_CONNECT_TIME, pending", second(get(e.P, c, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME)), wsa.WSAENOTCONN)
			start := e.Start()
			Equal(e, "outcome", e.outcome(o), "5 success")
			Equal(e, "time", (e.Net.Now() - start).Round(time.Millisecond), 2*Delay)
			s, _, err := e.Q.Accept(l)
			e.Code("Accept", err, 0)
			e.recvOn(e.Q, s, 5, 0)
			Equal(e, "SO_CONNECT_TIME", e.Get(e.P, c, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), 0)
			Equal(e, "SO_KEEPALIVE", e.Get(e.P, c, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE), 0)
			_, err = e.P.GetPeerName(c)
			e.Code("GetPeerName", err, wsa.WSAENOTCONN)
			e.Code("Shutdown", e.P.Shutdown(c, wsa.SD_SEND), wsa.WSAENOTCONN)
			e.Code("Connect", e.P.Connect(c, e.Addr(2, 80)), wsa.WSAEINVAL)
			e.Code("SO_UPDATE_CONNECT_CONTEXT", e.P.SetSockOpt(c, wsa.SOL_SOCKET, wsa.SO_UPDATE_CONNECT_CONTEXT, nil, 0), 0)
			Equal(e, "SO_KEEPALIVE", e.Get(e.P, c, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE), 1)
			_, err = e.P.GetPeerName(c)
			e.Code("GetPeerName", err, 0)
			e.Code("Connect", e.P.Connect(c, e.Addr(2, 80)), wsa.WSAEISCONN)
			e.Code("Shutdown", e.P.Shutdown(c, wsa.SD_SEND), 0)
			e.recvOn(e.Q, s, 1, 0)
		})
		e.Notef("connects and sends; options, names and shutdown after SO_UPDATE_CONNECT_CONTEXT")
	}},
	{ID: "IN-6", Title: "ConnectEx and options set before", Source: "API-ConnectEx", Run: func(e *Env) {
		link := e.Pair()
		e.Do(func() {
			e.Listener(e.Q, 80)
			c := e.bound(0)
			e.keepAlive(c, 10*time.Second, time.Second, 3)
			o, err := e.P.ConnectEx(c, e.Addr(2, 80), nil)
			e.Code("ConnectEx", err, 0)
			Equal(e, "outcome", e.outcome(o), "0 success")
			start := e.Start()
			e.Net.Sleep(time.Minute)
			Equal(e, "probes before the update", e.times("a", start, probeAt(1)), "")
			link.Partition()
			start = e.Start()
			e.Code("SO_UPDATE_CONNECT_CONTEXT", e.P.SetSockOpt(c, wsa.SOL_SOCKET, wsa.SO_UPDATE_CONNECT_CONTEXT, nil, 0), 0)
			e.Net.Sleep(time.Minute)
			Equal(e, "probes after it", e.times("a", start, probeAt(1)), "10.000 11.000 12.000")
		})
		e.Notef("keep-alive begins with SO_UPDATE_CONNECT_CONTEXT")
	}},
	{ID: "IN-6", Title: "ConnectEx fails", Source: "API-ConnectEx", Run: func(e *Env) {
		link := e.Pair()
		e.Do(func() {
			c := e.bound(0)
			e.Set(e.P, c, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
			o, err := e.P.ConnectEx(c, e.Addr(2, 9), []byte("x"))
			e.Code("ConnectEx", err, 0)
			Equal(e, "outcome", e.outcome(o), "0 WSAECONNREFUSED")
			Equal(e, "SO_ERROR", e.Get(e.P, c, wsa.SOL_SOCKET, wsa.SO_ERROR), 0) // EO-6
			Equal(e, "SO_KEEPALIVE as before", e.Get(e.P, c, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE), 1)
			link.Partition()
			start := e.Start()
			o, err = e.P.ConnectEx(c, e.Addr(2, 9), nil)
			e.Code("ConnectEx again", err, 0)
			Equal(e, "outcome", e.outcome(o), "0 WSAETIMEDOUT")
			Equal(e, "time", (e.Net.Now() - start).Round(time.Millisecond), 21*time.Second)
			o, err = e.P.ConnectEx(c, e.Addr(2, 9), nil)
			e.Code("a third time", err, 0)
			e.Code("CloseSocket", e.P.CloseSocket(c), 0)
			Equal(e, "outcome", e.outcome(o), "0 WSA_OPERATION_ABORTED")
			_, err = e.P.ConnectEx(e.bound(0), netip.AddrPort{}, nil)
			e.Code("NULL", err, wsa.WSAEFAULT)
		})
		e.Notef("WSAECONNREFUSED, WSAETIMEDOUT at 21 s, 995; SO_ERROR stays 0")
	}},
	{ID: "CT-3", Title: "SO_CONNECT_TIME before the context update", Source: "API-AcceptEx", Run: func(e *Env) {
		e.Pair(simnet.Delay(time.Second))
		e.Do(func() {
			l, a, c := e.Listener(e.P, 80), e.Stream(), e.Socket(e.Q, wsa.SOCK_STREAM)
			o, err := e.P.AcceptEx(l, a, nil)
			e.Code("AcceptEx", err, 0)
			e.Code("Bind", e.Q.Bind(c, e.Any(0)), 0)
			connect, err := e.Q.ConnectEx(c, e.Addr(1, 80), nil)
			e.Code("ConnectEx", err, 0)
			b, n := []byte{0, 0, 0, 0}, int32(4)
			e.Code("pending", e.Q.GetSockOpt(c, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME, b, &n), wsa.WSAENOTCONN)
			Equal(e, "optval", fmt.Sprintf("%x %d", b, n), "ffffffff 4")
			Equal(e, "ConnectEx", e.outcome(connect), "0 success")
			Equal(e, "AcceptEx", e.outcome(o), "0 success")
			Equal(e, "at once", e.Get(e.P, a, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), 0)
			e.Net.Sleep(2500 * time.Millisecond)
			Equal(e, "accepted", e.Get(e.P, a, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), 2)
			Equal(e, "connected", e.Get(e.Q, c, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), 3)
		})
		e.Notef("WSAENOTCONN and 0xFFFFFFFF while pending, then whole seconds")
	}},
}

// clogged sends on a non-blocking socket until neither it nor its peer has room.
func (e *Env) clogged(s wsa.SOCKET) {
	for range 100 {
		if _, err := e.P.Send(s, make([]byte, 64<<10), 0); err != nil {
			e.Code("Send", err, wsa.WSAEWOULDBLOCK)
			e.Net.Sleep(5 * time.Second)
			if _, err := e.P.Send(s, make([]byte, 64<<10), 0); err != nil {
				return
			}
		}
	}
	e.Fatalf("6 MB were accepted")
}

// handleBytes is a SOCKET as an optval.
func handleBytes(s wsa.SOCKET) []byte {
	b := make([]byte, 8)
	for i := range b {
		b[i] = byte(uint64(s) >> (8 * i))
	}
	return b
}

// second is the error of a call with a result.
func second[T any](_ T, err error) error { return err }
